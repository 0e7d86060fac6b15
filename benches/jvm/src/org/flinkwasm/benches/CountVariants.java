package org.flinkwasm.benches;

import java.util.List;

/** The function `count` in our operator and in Java, and how long a run of it is. */
final class CountVariants {
    private CountVariants() {}

    /** In the order of a round. The last is the first again: what differs between them is noise. */
    static List<Variant> of(Options options) {
        return List.of(Variant.javaCount("Java"), Variant.javaCount("Java again"));
    }

    /** A run whose window opens when every key has its state. */
    static Run run(String name, Keys keys, Options options, int round) {
        Run.Length lead = new Run.Length(round == 0 ? 0 : options.seconds("--lead"), Keys.COUNT);
        Run.Length window = Run.Length.seconds(options.seconds(round == 0 ? "--warm-up" : "--seconds"));
        return new Run(name, new CountTruth(keys.sequenceBehindAll()), lead, window);
    }
}
