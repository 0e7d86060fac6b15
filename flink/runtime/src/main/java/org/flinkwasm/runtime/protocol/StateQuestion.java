package org.flinkwasm.runtime.protocol;

import java.util.Arrays;

/**
 * The payload of a STATE_GET: what a function asks of a list or map while its bundle runs.
 *
 * @param state index of the state
 * @param key index of the bundle's key
 * @param element the encoded key of a map whose value is asked for; null when all elements are
 */
public record StateQuestion(int state, int key, byte[] element) {
    private static final int GET = 0;
    private static final int SCAN = 1;

    /** Reads a question. */
    public static StateQuestion read(ByteBuilder payload) {
        Cursor cursor = new Cursor(payload.bytes(), 0, payload.length());
        int state = cursor.takeInt("a question for state");
        int key = cursor.takeInt("a question for state");
        int kind = cursor.takeInt("a question for state");
        int elementBytes = cursor.takeCount("a question for state");
        int at = cursor.take(elementBytes, "the element of a question for state");
        if (kind != GET && kind != SCAN || cursor.remaining() != 0) {
            throw ProtocolException.violation("a question for state of kind " + Integer.toUnsignedString(kind));
        }
        return new StateQuestion(state, key, kind == SCAN ? null : Arrays.copyOfRange(payload.bytes(), at, at + elementBytes));
    }
}
