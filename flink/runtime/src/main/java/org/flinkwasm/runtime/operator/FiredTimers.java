package org.flinkwasm.runtime.operator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Timers that fired and are not sent yet, in firing order. */
final class FiredTimers {
    private final List<Object> keys = new ArrayList<>();
    private long[] timestamps = new long[128];

    /** Takes a timer, or refuses it for the moment. */
    interface Taker {
        boolean take(Object key, long timestamp) throws Exception;
    }

    void add(Object key, long timestamp) {
        if (keys.size() == timestamps.length) {
            timestamps = Arrays.copyOf(timestamps, timestamps.length * 2);
        }
        timestamps[keys.size()] = timestamp;
        keys.add(key);
    }

    boolean isEmpty() {
        return keys.isEmpty();
    }

    /** Offers all timers; those that are refused stay, in order. */
    void offer(Taker taker) throws Exception {
        int count = keys.size();
        int left = 0;
        for (int i = 0; i < count; i++) {
            Object key = keys.get(i);
            if (!taker.take(key, timestamps[i])) {
                keys.set(left, key);
                timestamps[left++] = timestamps[i];
            }
        }
        keys.subList(left, count).clear();
    }
}
