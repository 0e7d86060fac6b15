package org.flinkwasm.runtime;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** The answers of the command line: one JSON object a line on the real standard output. */
final class Events {
    private final PrintStream out;

    private Events(PrintStream out) {
        this.out = out;
    }

    /** Takes standard output for events; whatever else is printed goes to standard error from now on. */
    static Events takeStandardOutput() {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        System.setOut(System.err);
        return new Events(out);
    }

    synchronized void print(JsonObject json) {
        out.println(json);
        out.flush();
    }

    static JsonObject event(String name) {
        JsonObject json = new JsonObject();
        json.addProperty("event", name);
        return json;
    }

    /** A row that a console sink got; formats other than JSON give it as text. */
    void printRow(String sink, String line) {
        JsonObject event = event("row");
        event.addProperty("sink", sink);
        event.add("row", parsed(line));
        print(event);
    }

    private static JsonElement parsed(String line) {
        try {
            return JsonParser.parseString(line);
        } catch (JsonParseException e) {
            return new JsonPrimitive(line);
        }
    }
}
