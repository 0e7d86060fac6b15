package org.flinkwasm.runtime.protocol;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

/** The frames that the Rust side writes and reads, {@code crates/protocol/tests/golden}. */
class GoldenFramesTest extends Golden {
    @ParameterizedTest
    @CsvSource({"hello,HELLO", "welcome,WELCOME", "open,OPEN", "open-process,OPEN", "need-component,NEED_COMPONENT", "opened,OPENED", "error,ERROR"})
    void handshakeFrames(String name, FrameType type) throws Exception {
        byte[] frame = frame(name);
        assertEquals(type, FrameHeader.type(frame));
        assertEquals(description(name).get("id").asLong(), FrameHeader.id(frame));
        assertEquals(description(name).get("message"), JSON.readTree(payload(frame)));
    }

    @Test
    void heartbeatHasNoPayload() throws Exception {
        byte[] frame = frame("heartbeat");
        assertEquals(FrameType.HEARTBEAT, FrameHeader.type(frame));
        assertEquals(description("heartbeat").get("id").asLong(), FrameHeader.id(frame));
        assertEquals(0, payload(frame).length);
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
        List<LogicalType> types = types(description.get("fields"));
        BatchWriter writer =
                new BatchWriter(types, names(description.get("fields")), IntStream.range(0, types.size()).toArray());
        for (RowData row : rows(description.get("fields"), description.get("rows"))) {
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
        List<LogicalType> types = types(description.get("fields"));
        List<RowData> rows = rows(description.get("fields"), description.get("rows"));
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
        List<LogicalType> types = types(description.get("fields"));
        byte[] payload = payload(frame("reply-map"));
        BatchReader reader = new BatchReader(types);
        Reply reply = new Reply(false);
        reply.read(payload, payload.length, 4, reader);
        assertEquals(description.get("failures").size(), reply.failures().count());
        assertEquals(description.get("failures").get(0).get("row").asInt(), reply.failures().row(0));
        assertEquals(description.get("failures").get(0).get("message").asText(), reply.failures().message(0));
        assertEquals("FW0507", reply.failures().code(0));
        assertEquals(null, reply.trailer());
        assertEquals(description.get("emissions").size(), reply.emissionCount());
        ColumnarRowData view = new ColumnarRowData(new VectorizedColumnBatch(reader.vectors()));
        int first = 0;
        for (int emission = 0; emission < reply.emissionCount(); emission++) {
            List<RowData> rows = rows(description.get("fields"), description.get("emissions").get(emission).get("rows"));
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
