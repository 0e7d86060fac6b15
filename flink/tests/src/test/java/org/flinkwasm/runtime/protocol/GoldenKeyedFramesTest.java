package org.flinkwasm.runtime.protocol;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.flinkwasm.runtime.Rows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.IntStream;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

/** The frames of process functions, {@code crates/protocol/tests/golden}. */
class GoldenKeyedFramesTest extends Golden {
    private static byte[] bytes(JsonNode base64) throws Exception {
        return base64.isNull() ? null : base64.binaryValue();
    }

    private static long timestamp(JsonNode value) {
        return value == null || value.isNull() ? Long.MIN_VALUE : value.asLong();
    }

    private static BatchWriter writer(JsonNode fields) {
        int count = fields == null ? 0 : fields.size();
        return fields == null
                ? new BatchWriter(List.of(), List.of(), new int[0])
                : new BatchWriter(types(fields), names(fields), IntStream.range(0, count).toArray());
    }

    private static List<JsonNode> all(JsonNode array, String member) {
        List<JsonNode> members = new ArrayList<>();
        array.forEach(element -> members.add(element.get(member)));
        return members;
    }

    @ParameterizedTest
    @ValueSource(strings = {"bundle-keyed-rows", "bundle-keyed-timers"})
    void bundleIsWrittenByteForByte(String name) throws Exception {
        JsonNode description = description(name);
        JsonNode fields = description.get("fields");
        int valueStates = description.get("valueStates").asInt();
        BatchWriter rowWriter = writer(fields);
        KeyedBundleWriter writer = new KeyedBundleWriter(rowWriter, writer(description.get("keyFields")), valueStates);
        description.get("evicted").forEach(slot -> writer.evict(slot.asInt()));
        List<RowData> keys = rows(description.get("keyFields"), all(description.get("keys"), "key"));
        for (int i = 0; i < keys.size(); i++) {
            JsonNode key = description.get("keys").get(i);
            assertEquals(null, writer.addKeyRow(keys.get(i)));
            writer.addKey(key.get("slot").asInt(), key.has("values"));
            if (key.has("values")) {
                GenericRowData values = new GenericRowData(valueStates);
                for (int state = 0; state < valueStates; state++) {
                    values.setField(state, bytes(key.get("values").get(state)));
                }
                writer.addValues(values);
            }
        }
        for (JsonNode item : description.get("items")) {
            writer.addItem(item.get("key").asInt(), timestamp(item.get("timestamp")));
        }
        if (fields != null) {
            for (RowData row : rows(fields, all(description.get("items"), "row"))) {
                assertEquals(null, rowWriter.write(row));
            }
        }
        ByteBuilder frame = new ByteBuilder(16);
        BundleMode mode = BundleMode.values()[description.path("mode").asInt()];
        writer.flush(
                frame, description.get("id").asLong(), description.get("processingTime").asLong(), timestamp(description.get("watermark")), mode);
        assertArrayEquals(frame(name), Arrays.copyOf(frame.bytes(), frame.length()));
    }

    /** What a reply says, in the words of the description. */
    private static final class Told implements ProcessReply.Changes, ProcessReply.Effects {
        final List<String> changes = new ArrayList<>();
        final List<String> rows = new ArrayList<>();

        private static String text(byte[] bytes) {
            return bytes == null ? "null" : Base64.getEncoder().encodeToString(bytes);
        }

        @Override
        public void onValue(int state, int key, byte[] bytes, int start, int end) {
            byte[] value = bytes == null ? null : Arrays.copyOfRange(bytes, start, end);
            changes.add("value " + state + " " + key + " " + text(value));
        }

        @Override
        public void onPut(int state, int key, byte[] element, byte[] value) {
            changes.add("element " + state + " " + key + " 0 " + text(element) + " " + text(value));
        }

        @Override
        public void onRemove(int state, int key, byte[] element) {
            changes.add("element " + state + " " + key + " 1 " + text(element) + " null");
        }

        @Override
        public void onClear(int state, int key) {
            changes.add("element " + state + " " + key + " 2 null null");
        }

        @Override
        public void onTimer(int key, long timestamp, boolean processingTime, boolean delete) {
            changes.add("timer " + key + " " + timestamp + " " + ((processingTime ? 1 : 0) + (delete ? 2 : 0)));
        }

        @Override
        public void onRow(int output, int row, long timestamp) {
            rows.add(output + " " + row + " " + timestamp);
        }
    }

    @Test
    void replyIsRead() throws Exception {
        JsonNode description = description("reply-process");
        List<BatchReader> outputs = new ArrayList<>();
        description.get("outputs").forEach(fields -> outputs.add(new BatchReader(types(fields))));
        byte[] payload = payload(frame("reply-process"));
        ProcessReply reply = new ProcessReply(outputs, 4);
        reply.read(payload, payload.length, 10, 6);

        Told told = new Told();
        reply.change(told);
        assertEquals(expectedChanges(description), told.changes);
        List<String> rows = new ArrayList<>();
        for (JsonNode effect : description.get("effects")) {
            for (int row = 0; row < effect.get("timestamps").size(); row++) {
                rows.add(effect.get("output").asInt() + " " + row + " " + timestamp(effect.get("timestamps").get(row)));
            }
        }
        reply.emit(told);
        assertEquals(rows, told.rows);
        assertRows(description, outputs, reply);

        assertEquals(description.get("failures").size(), reply.failures().count());
        for (int i = 0; i < reply.failures().count(); i++) {
            JsonNode failure = description.get("failures").get(i);
            assertEquals(failure.get("row").asInt(), reply.failures().row(i));
            assertEquals("FW0" + failure.get("code").asInt(), reply.failures().code(i));
            assertEquals(failure.get("message").asText(), reply.failures().message(i));
        }
        assertEquals(description.get("trailer"), JSON.readTree(reply.trailer()));
    }

    private static List<String> expectedChanges(JsonNode description) {
        List<String> expected = new ArrayList<>();
        for (JsonNode change : description.get("values")) {
            for (int i = 0; i < change.get("keys").size(); i++) {
                expected.add("value " + change.get("state") + " " + change.get("keys").get(i) + " " + change.get("values").get(i).asText());
            }
        }
        for (JsonNode change : description.get("elements")) {
            for (int i = 0; i < change.get("keys").size(); i++) {
                expected.add("element " + change.get("state") + " " + change.get("keys").get(i) + " " + change.get("ops").get(i) + " "
                        + change.get("elements").get(i).asText() + " " + change.get("values").get(i).asText());
            }
        }
        for (JsonNode timer : description.get("timers")) {
            expected.add("timer " + timer.get("key") + " " + timer.get("timestamp") + " " + timer.get("flags"));
        }
        return expected;
    }

    private static void assertRows(JsonNode description, List<BatchReader> outputs, ProcessReply reply) throws Exception {
        List<List<Object>> expected = new ArrayList<>();
        for (JsonNode effect : description.get("effects")) {
            JsonNode fields = description.get("outputs").get(effect.get("output").asInt());
            for (RowData row : rows(fields, effect.get("rows"))) {
                expected.add(Rows.plain(row, types(fields)));
            }
        }
        List<List<Object>> read = new ArrayList<>();
        reply.emit((output, row, timestamp) -> {
            ColumnarRowData view = new ColumnarRowData(new VectorizedColumnBatch(outputs.get(output).vectors()));
            view.setRowId(row);
            read.add(Rows.plain(view, types(description.get("outputs").get(output))));
        });
        assertEquals(expected, read);
    }

    /** No cut of a reply is taken for a whole one. */
    @Test
    void everyCutOfAReplyIsRefused() throws Exception {
        JsonNode description = description("reply-process");
        List<BatchReader> outputs = new ArrayList<>();
        description.get("outputs").forEach(fields -> outputs.add(new BatchReader(types(fields))));
        byte[] payload = payload(frame("reply-process"));
        ProcessReply reply = new ProcessReply(outputs, 4);
        for (int length = 0; length < payload.length; length++) {
            byte[] cut = Arrays.copyOf(payload, length);
            assertThrows(ProtocolException.class, () -> reply.read(cut, cut.length, 10, 6), "cut at " + length);
        }
        assertThrows(ProtocolException.class, () -> reply.read(payload, payload.length, 9, 6), "a failure behind the last row");
        assertThrows(ProtocolException.class, () -> reply.read(payload, payload.length, 10, 5), "a key behind the last");
        assertThrows(ProtocolException.class, () -> new ProcessReply(outputs, 3).read(payload, payload.length, 10, 6), "no such state");
        assertThrows(ProtocolException.class, () -> new ProcessReply(outputs.subList(0, 1), 4).read(payload, payload.length, 10, 6));
    }

    @ParameterizedTest
    @ValueSource(strings = {"state-get", "state-scan"})
    void questionIsRead(String name) throws Exception {
        JsonNode description = description(name);
        byte[] payload = payload(frame(name));
        ByteBuilder received = new ByteBuilder(payload.length);
        received.put(payload, 0, payload.length);
        StateQuestion question = StateQuestion.read(received);
        assertEquals(FrameType.STATE_GET, FrameHeader.type(frame(name)));
        assertEquals(description.get("state").asInt(), question.state());
        assertEquals(description.get("key").asInt(), question.key());
        assertArrayEquals(description.has("element") ? bytes(description.get("element")) : null, question.element());
    }

    @Test
    void answerIsWrittenByteForByte() throws Exception {
        JsonNode description = description("state");
        StateAnswer answer = new StateAnswer();
        for (int i = 0; i < description.get("elements").size(); i++) {
            answer.add(bytes(description.get("elements").get(i)), bytes(description.get("values").get(i)));
        }
        ByteBuilder frame = answer.flush(description.get("id").asLong());
        assertArrayEquals(frame("state"), Arrays.copyOf(frame.bytes(), frame.length()));
    }
}
