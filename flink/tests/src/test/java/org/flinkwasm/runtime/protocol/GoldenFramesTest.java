package org.flinkwasm.runtime.protocol;

import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.formats.json.JsonRowDataDeserializationSchema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

/** The frames that the Rust side writes and reads, {@code crates/protocol/tests/golden}. */
class GoldenFramesTest {
    private static final Path GOLDEN = Path.of(System.getProperty("flink-wasm.repository"), "crates/protocol/tests/golden");
    private static final ObjectMapper JSON = new ObjectMapper();

    private static byte[] frame(String name) throws Exception {
        return Files.readAllBytes(GOLDEN.resolve(name + ".bin"));
    }

    private static JsonNode description(String name) throws Exception {
        return JSON.readTree(Files.readString(GOLDEN.resolve(name + ".json")));
    }

    private static byte[] payload(byte[] frame) {
        assertEquals(frame.length - FrameHeader.BYTES, FrameHeader.payloadLength(frame));
        return Arrays.copyOfRange(frame, FrameHeader.BYTES, frame.length);
    }

    private static List<LogicalType> types(JsonNode description) {
        List<LogicalType> types = new ArrayList<>();
        description.get("fields").forEach(field -> types.add(Rows.parse(field.get("type").asText())));
        return types;
    }

    private static List<String> names(JsonNode description) {
        List<String> names = new ArrayList<>();
        description.get("fields").forEach(field -> names.add(field.get("name").asText()));
        return names;
    }

    /** The described rows, read by Flink's own JSON format. */
    private static List<RowData> rows(JsonNode description, JsonNode rows) throws Exception {
        RowType type = RowType.of(types(description).toArray(new LogicalType[0]), names(description).toArray(new String[0]));
        JsonRowDataDeserializationSchema format =
                new JsonRowDataDeserializationSchema(type, InternalTypeInfo.of(type), false, false, TimestampFormat.SQL);
        format.open(null);
        List<RowData> result = new ArrayList<>();
        for (JsonNode row : rows) {
            GenericRowData data = (GenericRowData) format.deserialize(JSON.writeValueAsBytes(row));
            for (int i = 0; i < type.getFieldCount(); i++) {
                // Flink's format drops the fraction of a TIME.
                if (type.getTypeAt(i).is(LogicalTypeRoot.TIME_WITHOUT_TIME_ZONE) && !data.isNullAt(i)) {
                    LocalTime time = LocalTime.parse(row.get(type.getFieldNames().get(i)).asText());
                    data.setField(i, (int) (time.toNanoOfDay() / 1_000_000));
                }
            }
            result.add(data);
        }
        return result;
    }

    @ParameterizedTest
    @CsvSource({"hello,HELLO", "welcome,WELCOME", "open,OPEN", "need-component,NEED_COMPONENT", "opened,OPENED", "error,ERROR"})
    void handshakeFrames(String name, FrameType type) throws Exception {
        byte[] frame = frame(name);
        assertEquals(type, FrameHeader.type(frame));
        assertEquals(description(name).get("id").asLong(), FrameHeader.id(frame));
        assertEquals(description(name).get("message"), JSON.readTree(payload(frame)));
    }

    @Test
    void errorIsADiagnostic() throws Exception {
        String text = new String(payload(frame("error")), StandardCharsets.UTF_8);
        Diagnostic diagnostic = Diagnostic.fromJson(JsonParser.parseString(text).getAsJsonObject());
        JsonNode message = description("error").get("message");
        JsonNode read = JSON.readTree(diagnostic.toJson().toString());
        for (String member : List.of("code", "message", "notes", "function", "component", "row")) {
            assertEquals(message.get(member).asText(), read.get(member).asText(), member);
        }
    }

    @Test
    void bundleIsWrittenByteForByte() throws Exception {
        JsonNode description = description("bundle");
        List<LogicalType> types = types(description);
        BatchWriter writer =
                new BatchWriter(types, names(description), IntStream.range(0, types.size()).toArray());
        for (RowData row : rows(description, description.get("rows"))) {
            assertEquals(null, writer.write(row));
        }
        ByteBuilder frame = new ByteBuilder(16);
        SidecarConnection.writeBundle(
                frame,
                description.get("id").asLong(),
                description.get("processingTime").asLong(),
                description.get("watermark").asLong(),
                writer);
        assertArrayEquals(frame("bundle"), Arrays.copyOf(frame.bytes(), frame.length()));
    }

    @Test
    void bundleIsRead() throws Exception {
        JsonNode description = description("bundle");
        List<LogicalType> types = types(description);
        List<RowData> rows = rows(description, description.get("rows"));
        byte[] frame = frame("bundle");
        BatchReader reader = new BatchReader(types);
        assertEquals(frame.length, reader.read(frame, FrameHeader.BYTES + 16, frame.length, rows.size()));
        ColumnarRowData view = new ColumnarRowData(new VectorizedColumnBatch(reader.vectors()));
        for (int i = 0; i < rows.size(); i++) {
            view.setRowId(i);
            assertEquals(Rows.plain(rows.get(i), types), Rows.plain(view, types));
        }
    }

    @Test
    void mapReplyIsRead() throws Exception {
        JsonNode description = description("reply-map");
        List<LogicalType> types = types(description);
        byte[] payload = payload(frame("reply-map"));
        BatchReader reader = new BatchReader(types);
        Reply reply = new Reply(false);
        reply.read(payload, payload.length, 4, reader);
        assertEquals(description.get("failures").size(), reply.failures().count());
        assertEquals(description.get("failures").get(0).get("row").asInt(), reply.failures().row(0));
        assertEquals(description.get("failures").get(0).get("message").asText(), reply.failures().message(0));
        assertEquals(null, reply.trailer());
        assertEquals(description.get("emissions").size(), reply.emissionCount());
        ColumnarRowData view = new ColumnarRowData(new VectorizedColumnBatch(reader.vectors()));
        int first = 0;
        for (int emission = 0; emission < reply.emissionCount(); emission++) {
            List<RowData> rows = rows(description, description.get("emissions").get(emission).get("rows"));
            int end = reply.show(emission, reader);
            assertEquals(rows.size(), end - first);
            for (int i = 0; i < rows.size(); i++) {
                view.setRowId(first + i);
                assertEquals(Rows.plain(rows.get(i), types), Rows.plain(view, types));
            }
            first = end;
        }
    }

    @Test
    void filterReplyIsRead() throws Exception {
        JsonNode description = description("reply-filter");
        byte[] payload = payload(frame("reply-filter"));
        Reply reply = new Reply(true);
        int rows = description.get("keep").size();
        reply.read(payload, payload.length, rows, new BatchReader(List.of()));
        for (int row = 0; row < rows; row++) {
            assertEquals(description.get("keep").get(row).asBoolean(), reply.keeps(row));
        }
        assertEquals(description.get("failures").size(), reply.failures().count());
        assertEquals(description.get("failures").get(0).get("message").asText(), reply.failures().message(0));
        assertEquals(description.get("trailer"), JSON.readTree(reply.trailer()));
    }
}
