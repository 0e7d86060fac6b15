package org.flinkwasm.benches;

import java.util.Arrays;

/** The time of every row from source to sink, in microseconds. Only the sink's thread adds. */
final class Latencies {
    private int[] micros = new int[1 << 20];
    private int count;

    void add(long value) {
        if (count == micros.length) {
            micros = Arrays.copyOf(micros, 2 * count);
        }
        micros[count++] = (int) Math.min(value, Integer.MAX_VALUE);
    }

    /** Those of the rows from this one on, in rising order. */
    int[] sortedFrom(long first) {
        int[] sorted = Arrays.copyOfRange(micros, (int) first, count);
        Arrays.sort(sorted);
        return sorted;
    }

    /** The value that this share of the sorted values does not exceed. */
    static int quantile(int[] sorted, double share) {
        return sorted[(int) Math.min(sorted.length - 1L, (long) (share * sorted.length))];
    }
}
