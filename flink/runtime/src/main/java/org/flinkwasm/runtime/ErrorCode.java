package org.flinkwasm.runtime;

import java.util.Optional;

/**
 * The codes of problems that the runtime reports. Their one home is {@code crates/diagnostic/src/code.rs}; a test compares the two.
 */
public enum ErrorCode {
    IO("FW0002"),
    INTERNAL("FW0009"),
    UNSUPPORTED_PART("FW0103"),
    UNKNOWN_COLUMN("FW0201"),
    UNKNOWN_FUNCTION("FW0203"),
    TYPE_MISMATCH("FW0204"),
    WRONG_ARGUMENTS("FW0205"),
    PLAN_REFUSED("FW0206"),
    MISSING_KEY("FW0208"),
    BATCH_MODE("FW0209"),
    TOO_LARGE("FW0308"),
    NOT_A_BUNDLE("FW0401"),
    CORRUPT_BUNDLE("FW0402"),
    NEWER_BUNDLE("FW0404"),
    SIDECAR_UNREACHABLE("FW0501"),
    PROTOCOL_MISMATCH("FW0502"),
    PROTOCOL_VIOLATION("FW0503"),
    FUNCTION_TRAPPED("FW0504"),
    DEADLINE_EXCEEDED("FW0505"),
    MEMORY_EXCEEDED("FW0506"),
    ROW_FAILED("FW0507"),
    SCHEMA_VIOLATED("FW0508"),
    OPEN_FAILED("FW0509"),
    OUTPUT_EXCEEDED("FW0510"),
    BAD_OUTPUT("FW0511"),
    UNKNOWN_LIMITER("FW0513"),
    STATE_TOO_LARGE("FW0514"),
    TIMER_LOOP("FW0515"),
    JOB_FAILED("FW0603"),
    STATE_INCOMPATIBLE("FW0606");

    private final String code;

    ErrorCode(String code) {
        this.code = code;
    }

    /** The code as users see it, such as {@code FW0201}. */
    public String code() {
        return code;
    }

    /** The code of this text, if the runtime knows it. */
    public static Optional<ErrorCode> of(String text) {
        for (ErrorCode code : values()) {
            if (code.code.equals(text)) {
                return Optional.of(code);
            }
        }
        return Optional.empty();
    }

    /**
     * Whether the same rows fail again however often they are tried: the function or its input is at fault, not the connection.
     */
    public static boolean isDeterministic(String code) {
        return code.compareTo(FUNCTION_TRAPPED.code) >= 0 && code.compareTo(TIMER_LOOP.code) <= 0
                || code.equals(PROTOCOL_MISMATCH.code);
    }
}
