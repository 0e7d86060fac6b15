package org.flinkwasm.benches;

import java.util.Arrays;
import java.util.SplittableRandom;

/** How often which key comes. */
enum Keys {
    /** Every key as often as any other. */
    UNIFORM("uniform") {
        @Override
        void sample(int[] samples, SplittableRandom random) {
            for (int i = 0; i < samples.length; i++) {
                samples[i] = random.nextInt(COUNT);
            }
        }
    },

    /** The key of rank n in proportion to 1 / n^1.1, as users, words and pages come. */
    ZIPF("Zipf 1.1") {
        @Override
        void sample(int[] samples, SplittableRandom random) {
            double[] upTo = new double[COUNT];
            double sum = 0;
            for (int rank = 0; rank < COUNT; rank++) {
                sum += Math.pow(rank + 1, -EXPONENT);
                upTo[rank] = sum;
            }
            for (int i = 0; i < samples.length; i++) {
                int found = Arrays.binarySearch(upTo, random.nextDouble() * sum);
                int rank = Math.min(found < 0 ? -found - 1 : found, COUNT - 1);
                samples[i] = (int) ((long) rank * SCATTER % COUNT);
            }
        }
    };

    /** Number of keys. */
    static final int COUNT = 1_000_000;

    private static final double EXPONENT = 1.1;

    /** Has no factor in common with {@link #COUNT}, so that frequent keys lie anywhere. */
    private static final long SCATTER = 611_953;

    /** Keys that are drawn before; a power of two, and several for each key. */
    private static final int SAMPLES = 1 << 22;

    final String title;
    private int[] samples;

    Keys(String title) {
        this.title = title;
    }

    abstract void sample(int[] samples, SplittableRandom random);

    /** What was drawn, again and again. */
    Sequence sequence() {
        return new Sequence(samples(), 0);
    }

    /** First every key once, so that the state has its size; then what was drawn. */
    Sequence sequenceBehindAll() {
        return new Sequence(samples(), COUNT);
    }

    private synchronized int[] samples() {
        if (samples == null) {
            samples = new int[SAMPLES];
            sample(samples, new SplittableRandom(1));
        }
        return samples;
    }

    /** The keys of a run in their order. */
    record Sequence(int[] samples, int first) {
        int at(long index) {
            return index < first ? (int) index : samples[(int) (index - first) & (SAMPLES - 1)];
        }
    }
}
