package org.flinkwasm.runtime.operator;

import org.apache.flink.table.data.columnar.vector.LongColumnVector;
import org.apache.flink.table.types.logical.BigIntType;
import org.flinkwasm.runtime.operator.ScriptedSidecar.Received;
import org.flinkwasm.runtime.protocol.BatchReader;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A process function as a sidecar runs it: counts the rows of each BIGINT key in a value state, and puts out key and count. A timer puts out
 * the key and the negative count. It refuses what the protocol forbids an operator.
 */
final class CountingFunction implements ScriptedSidecar.Function {
    /** What the operator sent, as text: the fresh keys, and those that were evicted. */
    final List<String> sent = new ArrayList<>();

    private final Map<Integer, Long> slots = new HashMap<>();
    /** Registers a timer of event time so long after each row; of processing time if it is negative. */
    private final long timerAfter;

    /** Timers are refused. */
    boolean refusesTimers;

    /** Timers register others too. */
    boolean isEndless;

    CountingFunction(long timerAfter) {
        this.timerAfter = timerAfter;
    }

    @Override
    public ByteBuffer reply(Received bundle) {
        byte[] payload = new byte[16 + bundle.batch().capacity()];
        bundle.batch().duplicate().get(0, payload, 16, payload.length - 16);
        return reply(new Frame(payload), bundle.processingTime());
    }

    /** The parts of a keyed bundle, found with arithmetic of its own. */
    private static final class Frame {
        final ByteBuffer in;
        final int mode;
        final int[] evicted;
        final int[] slots;
        final boolean[] fresh;
        final long[] keys;
        final Long[] values;
        final long[] timestamps;
        final int[] itemKeys;

        Frame(byte[] payload) {
            in = ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN).position(16);
            mode = in.getInt();
            int keyCount = in.getInt();
            int evictedCount = in.getInt();
            int itemCount = in.getInt();
            evicted = ints(evictedCount);
            slots = ints(keyCount);
            int bitmap = in.position();
            fresh = new boolean[keyCount];
            int freshCount = 0;
            for (int i = 0; i < keyCount; i++) {
                fresh[i] = (in.get(bitmap + i / 8) >> i % 8 & 1) != 0;
                freshCount += fresh[i] ? 1 : 0;
            }
            in.position(bitmap + (keyCount + 63) / 64 * 8);
            BatchReader keyReader = new BatchReader(List.of(new BigIntType(false)));
            in.position(keyReader.read(payload, in.position(), payload.length, keyCount));
            keys = new long[keyCount];
            for (int i = 0; i < keyCount; i++) {
                keys[i] = ((LongColumnVector) keyReader.vectors()[0]).getLong(i);
            }
            values = values(freshCount);
            timestamps = new long[itemCount];
            for (int i = 0; i < itemCount; i++) {
                timestamps[i] = in.getLong();
            }
            itemKeys = ints(itemCount);
            check(keyCount);
        }

        private int[] ints(int count) {
            int[] values = new int[count];
            for (int i = 0; i < count; i++) {
                values[i] = in.getInt();
            }
            in.position(in.position() + count % 2 * 4);
            return values;
        }

        /** The one column of encoded counts. */
        private Long[] values(int count) {
            require(in.getInt() == count && in.getInt() == 1, "the batch of values");
            int header = in.getInt();
            require(in.getInt() == count && (header & 0xff) == 8, "the column of values");
            int validity = in.position();
            in.position(validity + (header >> 8 & 1) * ((count + 63) / 64 * 8));
            int[] offsets = ints(count + 1);
            Long[] decoded = new Long[count];
            for (int i = 0; i < count; i++) {
                boolean present = header >> 8 == 0 || (in.get(validity + i / 8) >> i % 8 & 1) != 0;
                require(offsets[i + 1] - offsets[i] == (present ? 8 : 0), "the size of a value");
                decoded[i] = present ? in.getLong() : null;
            }
            return decoded;
        }

        private void check(int keyCount) {
            Set<Integer> distinct = new HashSet<>();
            for (int slot : slots) {
                require(distinct.add(slot), "slot " + slot + " twice");
            }
            Set<Integer> named = new HashSet<>();
            for (int key : itemKeys) {
                named.add(key);
            }
            require(named.size() == keyCount, "a key without an item");
            require(mode != 0 || in.remaining() > 0, "rows");
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException("the operator broke the protocol: " + what);
        }
    }

    private ByteBuffer reply(Frame frame, long processingTime) {
        for (int slot : frame.evicted) {
            require(slots.remove(slot) != null, "evicted slot " + slot + " is empty");
        }
        List<Long> freshKeys = new ArrayList<>();
        int value = 0;
        for (int i = 0; i < frame.slots.length; i++) {
            if (frame.fresh[i]) {
                freshKeys.add(frame.keys[i]);
                Long count = frame.values[value++];
                slots.put(frame.slots[i], count == null ? 0 : count);
            }
            require(slots.containsKey(frame.slots[i]), "slot " + frame.slots[i] + " is empty");
        }
        sent.add("mode " + frame.mode + " items " + frame.itemKeys.length + " fresh " + freshKeys + " evicted " + frame.evicted.length);
        int items = frame.itemKeys.length;
        long[] counts = new long[items];
        for (int i = 0; i < items; i++) {
            int slot = frame.slots[frame.itemKeys[i]];
            if (frame.mode == 0) {
                slots.merge(slot, 1L, Long::sum);
            }
            counts[i] = frame.mode == 0 ? slots.get(slot) : -slots.get(slot);
        }
        return refusesTimers && frame.mode != 0 ? refuse(items) : write(frame, counts, processingTime);
    }

    /** A reply that does nothing: every item failed. */
    private static ByteBuffer refuse(int items) {
        ByteBuffer out = ByteBuffer.allocate(32 + items * 24).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(2).putInt(items).putInt(0).putInt(0);
        out.putInt(0).putInt(0).putInt(0).putInt(0);
        for (int i = 0; i < items; i++) {
            out.putInt(i).putInt(507).putInt(4).putInt(0).put("late".getBytes(StandardCharsets.UTF_8)).putInt(0);
        }
        return out.flip();
    }

    private ByteBuffer write(Frame frame, long[] counts, long processingTime) {
        int items = counts.length;
        int changed = frame.mode == 0 ? frame.slots.length : 0;
        int timers = (frame.mode == 0 || isEndless) && timerAfter != 0 ? items : 0;
        ByteBuffer out = ByteBuffer.allocate(512 + items * 64 + changed * 32).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(2).putInt(0).putInt(1).putInt(0);
        out.putInt(0).putInt(items);
        for (long timestamp : frame.timestamps) {
            out.putLong(timestamp);
        }
        out.putInt(items).putInt(2);
        out.putInt(4).putInt(items);
        for (int key : frame.itemKeys) {
            out.putLong(frame.keys[key]);
        }
        out.putInt(4).putInt(items);
        for (long count : counts) {
            out.putLong(count);
        }
        out.putInt(changed > 0 ? 1 : 0).putInt(0).putInt(timers).putInt(0);
        if (changed > 0) {
            out.putInt(0).putInt(changed);
            for (int i = 0; i < changed; i++) {
                out.putInt(i);
            }
            pad(out);
            out.putInt(changed).putInt(1).putInt(8).putInt(changed);
            for (int i = 0; i <= changed; i++) {
                out.putInt(i * 8);
            }
            pad(out);
            for (int slot : frame.slots) {
                out.putLong(slots.get(slot));
            }
        }
        for (int i = 0; i < timers; i++) {
            out.putInt(frame.itemKeys[i]);
        }
        pad(out);
        for (int i = 0; i < timers; i++) {
            out.putLong(timerAfter > 0 ? frame.timestamps[i] + timerAfter : processingTime - timerAfter);
        }
        for (int i = 0; i < timers; i++) {
            out.put((byte) (timerAfter > 0 ? 0 : 1));
        }
        pad(out);
        return out.flip();
    }

    private static void pad(ByteBuffer out) {
        out.position(out.position() + 7 & -8);
    }
}
