package org.flinkwasm.runtime.protocol;

/** What a frame says. The numbers are those of the wire. */
public enum FrameType {
    HELLO(1),
    WELCOME(2),
    OPEN(3),
    NEED_COMPONENT(4),
    COMPONENT(5),
    OPENED(6),
    BUNDLE(7),
    REPLY(8),
    ERROR(9),
    STATE_GET(10),
    STATE(11),
    HEARTBEAT(12);

    private static final FrameType[] BY_NUMBER = new FrameType[13];

    static {
        for (FrameType type : values()) {
            BY_NUMBER[type.number] = type;
        }
    }

    private final int number;

    FrameType(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static FrameType of(int number) {
        if (number < 1 || number >= BY_NUMBER.length) {
            throw ProtocolException.violation("a frame of unknown type " + (number & 0xff));
        }
        return BY_NUMBER[number];
    }
}
