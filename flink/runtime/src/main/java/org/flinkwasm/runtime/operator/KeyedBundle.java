package org.flinkwasm.runtime.operator;

import org.flinkwasm.runtime.protocol.BundleMode;

import java.util.Arrays;

/** Rows or timers of keys on their way through the sidecar. */
final class KeyedBundle extends Bundle {
    BundleMode mode = BundleMode.ROWS;
    int keyCount;
    private int[] slots = new int[128];
    /** For each timer the index of its key, where dead letters are made of them. */
    private int[] timerKeys = new int[0];

    /** Adds a distinct key by the slot that it has, and says its index. */
    int addKey(int slot) {
        if (keyCount == slots.length) {
            slots = Arrays.copyOf(slots, keyCount * 2);
        }
        slots[keyCount] = slot;
        return keyCount++;
    }

    int slot(int key) {
        return slots[key];
    }

    /** Adds a timer, and remembers which. */
    void addTimer(int key, long timestamp) {
        if (rows == timerKeys.length) {
            timerKeys = Arrays.copyOf(timerKeys, Math.max(128, rows * 2));
        }
        timerKeys[rows] = key;
        addRow(timestamp);
    }

    int timerKey(int timer) {
        return timerKeys[timer];
    }

    @Override
    void clear() {
        super.clear();
        mode = BundleMode.ROWS;
        keyCount = 0;
    }
}
