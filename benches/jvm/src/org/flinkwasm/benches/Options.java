package org.flinkwasm.benches;

import java.util.HashMap;
import java.util.Map;

/** What a program is told: pairs of `--name` and value. */
final class Options {
    private final Map<String, String> values = new HashMap<>();

    Options(String[] arguments) {
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            values.put(arguments[i], arguments[i + 1]);
        }
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    double seconds(String name) {
        return Double.parseDouble(text(name));
    }

    long number(String name) {
        return Long.parseLong(text(name));
    }
}
