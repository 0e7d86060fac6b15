package org.flinkwasm.runtime.plan;

import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds out what Flink's planner means by its exceptions. */
final class Diagnoser {
    private static final Pattern UNKNOWN_COLUMN = Pattern.compile(
            "(?:Column|Field) '([^']+)' not found|Cannot resolve field \\[([^\\]]+)\\]|Unknown (?:identifier|field|column) '([^']+)'");
    private static final Pattern UNKNOWN_FUNCTION = Pattern.compile(
            "No match found for function signature ([^(\\s]+)\\(|Undefined function: (\\S+)|Function '([^']+)' (?:does not exist|not found)");
    private static final Pattern WRONG_TYPES = Pattern.compile(
            "Cannot apply '|Invalid function call:|Invalid input arguments|Column types of query result and sink for|Incompatible types"
                    + "|Unsupported argument type|Values passed to .* must have compatible types|Invalid type|Cannot assign to target field"
                    + "|is not compatible with|Invalid number of arguments to function");
    private static final Pattern CHANGELOG =
            Pattern.compile("doesn't support consuming (?:update|delete|update and delete) changes");
    private static final Pattern POSITION =
            Pattern.compile("(?:From line \\d+, column \\d+ to line \\d+, column \\d+|At line \\d+, column \\d+): ");
    private static final Pattern EMPTY_WORDS =
            Pattern.compile("^(?:SQL validation failed\\.|SQL parse failed\\.|Invalid SQL expression: .*?\\.)\\s*", Pattern.DOTALL);

    private Diagnoser() {}

    /**
     * The diagnostic for what went wrong in a step.
     *
     * @param columns the columns that the step may name
     * @param functions the functions that it may call
     */
    static Diagnostic diagnose(Throwable error, Supplier<Collection<String>> columns, Supplier<Collection<String>> functions) {
        List<String> messages = new ArrayList<>();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof DiagnosticException known) {
                return known.diagnostic();
            }
            if (cause.getMessage() != null) {
                messages.add(0, cause.getMessage());
            }
        }
        for (String message : messages) {
            String column = match(UNKNOWN_COLUMN, message);
            if (column != null) {
                Collection<String> known = columns.get();
                return new Diagnostic(ErrorCode.UNKNOWN_COLUMN, "unknown column `" + column + "`")
                        .note("columns: " + String.join(", ", known))
                        .identifier(column, known);
            }
        }
        for (String message : messages) {
            String function = match(UNKNOWN_FUNCTION, message);
            if (function != null) {
                Collection<String> known = functions.get();
                boolean exists = known.stream().anyMatch(name -> name.equalsIgnoreCase(function));
                return exists
                        ? new Diagnostic(ErrorCode.TYPE_MISMATCH, "the function " + function + " does not take these arguments")
                                .note(firstWords(message))
                        : new Diagnostic(ErrorCode.UNKNOWN_FUNCTION, "unknown function `" + function + "`")
                                .identifier(function.toLowerCase(Locale.ROOT), known);
            }
        }
        for (String message : messages) {
            if (CHANGELOG.matcher(message).find()) {
                return new Diagnostic(
                                ErrorCode.PLAN_REFUSED,
                                "rows that change or take back earlier rows can't enter a function or a sink that only appends")
                        .note(firstWords(message))
                        .help("aggregate in windows, or move the function before the aggregation or join");
            }
        }
        String words = messages.isEmpty() ? error.getClass().getSimpleName() : firstWords(messages.get(0));
        boolean mismatch = messages.stream().anyMatch(message -> WRONG_TYPES.matcher(message).find());
        return new Diagnostic(mismatch ? ErrorCode.TYPE_MISMATCH : ErrorCode.PLAN_REFUSED, words);
    }

    private static String match(Pattern pattern, String message) {
        Matcher matcher = pattern.matcher(message);
        if (!matcher.find()) {
            return null;
        }
        for (int group = 1; group <= matcher.groupCount(); group++) {
            if (matcher.group(group) != null) {
                return matcher.group(group);
            }
        }
        return null;
    }

    /** A message without positions in a text that the user never saw, and without what says nothing. */
    static String firstWords(String message) {
        String text = POSITION.matcher(message).replaceAll("");
        text = EMPTY_WORDS.matcher(text).replaceFirst("").strip();
        int paragraph = text.indexOf("\n\n");
        if (paragraph > 0) {
            text = text.substring(0, paragraph);
        }
        return text.isEmpty() ? message.strip() : text;
    }
}
