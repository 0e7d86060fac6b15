package org.flinkwasm.runtime;

import org.junit.jupiter.api.Test;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

/** The codes are those of {@code crates/diagnostic/src/code.rs}. */
class ErrorCodeTest {
    @Test
    void codesAreThoseOfTheTable() throws Exception {
        String table = Files.readString(Path.of(System.getProperty("flink-wasm.repository"), "crates/diagnostic/src/code.rs"));
        Map<String, String> codes = new HashMap<>();
        Matcher row = Pattern.compile("(?m)^\\s+([A-Za-z]+) = \"(\\d{4})\",").matcher(table);
        while (row.find()) {
            codes.put(row.group(1).replaceAll("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_").toUpperCase(), "FW" + row.group(2));
        }
        assertFalse(codes.isEmpty());
        for (ErrorCode code : ErrorCode.values()) {
            assertEquals(codes.get(code.name()), code.code(), code.name());
        }
    }
}
