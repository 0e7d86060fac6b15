package org.flinkwasm.runtime;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a user is told when something is wrong: a stable code, what, where, and what to do next. The JSON is the one of {@code
 * flink_wasm_diagnostic::Diagnostic}, with further members for the caller ({@code function}, {@code row}, {@code candidates}, ..).
 */
public final class Diagnostic implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Longest message and note that is kept, in characters: Flink's own messages may hold a whole plan. */
    private static final int MAX_TEXT = 2000;

    private final String code;
    private final String message;
    private final ArrayList<String> notes = new ArrayList<>();
    private final TreeMap<String, String> facts = new TreeMap<>();
    private final ArrayList<String> candidates = new ArrayList<>();
    private String help;
    private String pointer;
    private Long row;

    /** A problem; the message is one sentence without a full stop. */
    public Diagnostic(ErrorCode code, String message) {
        this(code.code(), message);
    }

    private Diagnostic(String code, String message) {
        this.code = code;
        this.message = limited(message);
    }

    /** Adds a fact. */
    public Diagnostic note(String note) {
        notes.add(limited(note));
        return this;
    }

    /** Adds the next thing to do. */
    public Diagnostic help(String text) {
        help = text;
        return this;
    }

    /** Names the place in the job definition, unless one is named already. */
    public Diagnostic pointer(String jsonPointer) {
        if (pointer == null) {
            pointer = jsonPointer;
        }
        return this;
    }

    /** Names the function and the component at fault. */
    public Diagnostic function(String name, String component) {
        facts.putIfAbsent("function", name);
        facts.putIfAbsent("component", component);
        return this;
    }

    /** Names the row of the bundle at fault, counted from 0. */
    public Diagnostic row(long index) {
        row = index;
        return this;
    }

    /** Names what is unknown, and what could have been meant. */
    public Diagnostic identifier(String identifier, Collection<String> known) {
        facts.put("identifier", identifier);
        candidates.addAll(known);
        return this;
    }

    public String code() {
        return code;
    }

    public String message() {
        return message;
    }

    public List<String> notes() {
        return notes;
    }

    public JsonObject toJson() {
        JsonObject json = new JsonObject();
        json.addProperty("code", code);
        json.addProperty("message", message);
        JsonArray noteArray = new JsonArray();
        notes.forEach(noteArray::add);
        json.add("notes", noteArray);
        if (help != null) {
            json.addProperty("help", help);
        }
        if (pointer != null) {
            JsonObject location = new JsonObject();
            location.addProperty("pointer", pointer);
            json.add("location", location);
        }
        facts.forEach(json::addProperty);
        if (row != null) {
            json.addProperty("row", row);
        }
        if (!candidates.isEmpty()) {
            JsonArray array = new JsonArray();
            candidates.forEach(array::add);
            json.add("candidates", array);
        }
        return json;
    }

    /** Reads what a sidecar sent. */
    public static Diagnostic fromJson(JsonObject json) {
        Diagnostic diagnostic = new Diagnostic(text(json, "code", ErrorCode.INTERNAL.code()), text(json, "message", "no message"));
        if (json.get("notes") instanceof JsonArray array) {
            for (JsonElement note : array) {
                diagnostic.note(note.isJsonPrimitive() ? note.getAsString() : note.toString());
            }
        }
        diagnostic.help = text(json, "help", null);
        for (String fact : List.of("function", "component")) {
            String value = text(json, fact, null);
            if (value != null) {
                diagnostic.facts.put(fact, value);
            }
        }
        if (json.has("row") && json.get("row").isJsonPrimitive()) {
            diagnostic.row = json.get("row").getAsLong();
        }
        return diagnostic;
    }

    /** The code as first word, then everything else: what Flink's web UI shows. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(code).append(": ").append(message);
        for (Map.Entry<String, String> fact : facts.entrySet()) {
            if (!message.contains("`" + fact.getValue() + "`")) {
                text.append("\n  ").append(fact.getKey()).append(": ").append(fact.getValue());
            }
        }
        if (row != null) {
            text.append("\n  row of the bundle: ").append(row);
        }
        notes.forEach(note -> text.append("\n  note: ").append(note));
        if (help != null) {
            text.append("\n  help: ").append(help);
        }
        return text.toString();
    }

    private static String text(JsonObject json, String name, String otherwise) {
        JsonElement value = json.get(name);
        return value != null && value.isJsonPrimitive() ? value.getAsString() : otherwise;
    }

    private static String limited(String text) {
        return text.length() <= MAX_TEXT ? text : text.substring(0, MAX_TEXT) + "..";
    }
}
