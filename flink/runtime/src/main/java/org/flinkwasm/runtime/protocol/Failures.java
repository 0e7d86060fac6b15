package org.flinkwasm.runtime.protocol;

import java.nio.charset.StandardCharsets;

/** The failures of a reply, read in place. */
public final class Failures {
    private byte[] bytes;
    private int count;
    // For each failure.
    private int[] rows = new int[4];
    private int[] codes = new int[4];
    private int[] messages = new int[4];
    private int[] messageBytes = new int[4];

    /** Says how many will be read; a row fails at most once. */
    void expect(int failures, int bundleRows) {
        count = 0;
        if (failures > bundleRows) {
            throw ProtocolException.violation("a reply with " + failures + " failures for " + bundleRows + " rows");
        }
        if (failures > rows.length) {
            rows = new int[failures];
            codes = new int[failures];
            messages = new int[failures];
            messageBytes = new int[failures];
        }
        count = failures;
    }

    void read(Cursor cursor, int bundleRows) {
        bytes = cursor.bytes;
        int previous = -1;
        for (int i = 0; i < count; i++) {
            rows[i] = cursor.takeInt("a failure");
            codes[i] = cursor.takeInt("a failure");
            messageBytes[i] = cursor.takeCount("a failure");
            cursor.takeInt("a failure");
            messages[i] = cursor.section(messageBytes[i], "the message of a failure");
            if (rows[i] <= previous || rows[i] >= bundleRows) {
                throw ProtocolException.violation(
                        "a failure of row " + Integer.toUnsignedString(rows[i]) + " of " + bundleRows + ", behind one of row " + previous);
            }
            if (codes[i] < 0 || codes[i] > 9999) {
                throw ProtocolException.violation("a failure with the code " + Integer.toUnsignedString(codes[i]));
            }
            previous = rows[i];
        }
    }

    public int count() {
        return count;
    }

    /** The row of the bundle that failed. Rows rise. */
    public int row(int failure) {
        return rows[failure];
    }

    /** Such as {@code FW0507}. */
    public String code(int failure) {
        return String.format("FW%04d", codes[failure]);
    }

    public String message(int failure) {
        return new String(bytes, messages[failure], messageBytes[failure], StandardCharsets.UTF_8);
    }
}
