package org.flinkwasm.runtime.operator;

import org.flinkwasm.runtime.protocol.Limits;

import java.util.Arrays;

/**
 * Which key has which slot of the sidecar. A slot that a bundle on its way names is held; the others are idle. Which idle one is given up first
 * is found by the clock algorithm: a hand goes round the slots, and takes one that was not held since it came by last. That touches no slot but
 * those, in order, where a list by age would touch both neighbours of every slot that is used.
 *
 * <p>A hash table whose entries hold the hash, and a record of numbers for each slot: where there are many keys every array that is touched is
 * one more miss of the processor's cache. Nothing is allocated for a key but the key.
 */
final class SlotTable {
    private static final int NONE = -1;
    private static final int INITIAL_SLOTS = 1024;

    /** What a key costs the sidecar besides the bytes of its values. */
    private static final int SLOT_BYTES = 64;

    // A slot's record: its key's hash, how often it is held (or that no key has it), by which bundle last and at which index there, whether
    // it was held since the hand came by; then the bytes of each value.
    private static final int HASH = 0;
    private static final int HOLDS = 1;
    private static final int BUNDLE = 2;
    private static final int INDEX = 3;
    private static final int USED = 4;
    private static final int VALUE_BYTES = 5;

    /** In the place of how often a slot is held: no key has it. */
    private static final int FREE = -1;

    /** 2^32 divided by the golden ratio: Knuth's multiplier, by which neighbours land far apart. */
    private static final int GOLDEN_RATIO = 0x9E3779B9;

    /** Numbers of a record: half a cache line, or a multiple of it. */
    private static final int RECORD_UNIT = 8;

    private final int valueStates;
    private final int recordSize;

    private Object[] keys = new Object[INITIAL_SLOTS];
    private int[] records;
    /** For each value of a slot the object that the state backend holds, where it is known. Empty where none ever is. */
    private byte[][] values;
    private final int knownValues;

    // Slots that no key has: those given up, then those never used.
    private int[] free = new int[INITIAL_SLOTS];
    private int freeCount;
    private int usedSlots;

    /** The clock's hand: the slot where it goes on. */
    private int hand;
    private int heldCount;

    /** Open addressing: the hash in the upper half, slot + 1 in the lower; 0 where there is none. */
    private long[] table = new long[INITIAL_SLOTS * 2];

    private int size;
    private long bytes;

    /** @param keepsValues whether {@link #value} is used */
    SlotTable(int valueStates, boolean keepsValues) {
        this.valueStates = valueStates;
        knownValues = keepsValues ? valueStates : 0;
        recordSize = (VALUE_BYTES + valueStates + RECORD_UNIT - 1) / RECORD_UNIT * RECORD_UNIT;
        records = new int[INITIAL_SLOTS * recordSize];
        values = new byte[INITIAL_SLOTS * knownValues][];
    }

    int size() {
        return size;
    }

    /** What the values of all slots take in the sidecar, roughly. */
    long bytes() {
        return bytes;
    }

    /** The slot of a key, or -1. */
    int find(Object key, int hash) {
        int mask = table.length - 1;
        int at = home(hash);
        long entry = table[at];
        while (entry != 0) {
            if (hash(entry) == hash && keys[(int) entry - 1].equals(key)) {
                return (int) entry - 1;
            }
            at = at + 1 & mask;
            entry = table[at];
        }
        return NONE;
    }

    /** Where the search for a hash starts: numbers in a row, which are their own hash, must not become entries in a row. */
    private int home(int hash) {
        return hash * GOLDEN_RATIO >>> Integer.numberOfLeadingZeros(table.length) + 1;
    }

    private static int hash(long entry) {
        return (int) (entry >>> 32);
    }

    /** Gives a slot to a key that has none. The key is kept as it is. */
    int add(Object key, int hash) {
        if (size == Limits.MAX_SLOTS) {
            throw new IllegalStateException("all " + Limits.MAX_SLOTS + " slots are held by bundles");
        }
        if (size * 2 >= table.length) {
            enlargeTable();
        }
        int slot = freeCount > 0 ? free[--freeCount] : newSlot();
        keys[slot] = key;
        int record = slot * recordSize;
        records[record + HASH] = hash;
        records[record + HOLDS] = 0;
        records[record + USED] = 1;
        insert((long) hash << 32 | slot + 1);
        size++;
        bytes += SLOT_BYTES;
        return slot;
    }

    private int newSlot() {
        if (usedSlots == keys.length) {
            int length = usedSlots * 2;
            keys = Arrays.copyOf(keys, length);
            records = Arrays.copyOf(records, length * recordSize);
            values = Arrays.copyOf(values, length * knownValues);
            free = Arrays.copyOf(free, length);
        }
        return usedSlots++;
    }

    private void insert(long entry) {
        int mask = table.length - 1;
        int at = home(hash(entry));
        while (table[at] != 0) {
            at = at + 1 & mask;
        }
        table[at] = entry;
    }

    private void enlargeTable() {
        long[] old = table;
        table = new long[old.length * 2];
        for (long entry : old) {
            if (entry != 0) {
                insert(entry);
            }
        }
    }

    Object key(int slot) {
        return keys[slot];
    }

    /** A bundle names the slot, for a key that has an index there: it is held until released as often. Bundles that are held have different numbers. */
    void hold(int slot, int bundle, int index) {
        int record = slot * recordSize;
        if (records[record + HOLDS]++ == 0) {
            heldCount++;
        }
        records[record + USED] = 1;
        records[record + BUNDLE] = bundle;
        records[record + INDEX] = index;
    }

    void release(int slot) {
        if (--records[slot * recordSize + HOLDS] == 0) {
            heldCount--;
        }
    }

    boolean isHeld(int slot) {
        return records[slot * recordSize + HOLDS] > 0;
    }

    /** The index of the slot's key in the bundle that is being filled, or -1. */
    int index(int slot, int bundle) {
        int record = slot * recordSize;
        return records[record + HOLDS] > 0 && records[record + BUNDLE] == bundle ? records[record + INDEX] : NONE;
    }

    /** Says how large a value has become. */
    void setValueBytes(int slot, int valueState, int length) {
        int at = slot * recordSize + VALUE_BYTES + valueState;
        bytes += length - records[at];
        records[at] = length;
    }

    /** The object that the state backend holds as the slot's value; null if it is not known. */
    byte[] value(int slot, int valueState) {
        return knownValues == 0 ? null : values[slot * knownValues + valueState];
    }

    void setValue(int slot, int valueState, byte[] value) {
        values[slot * knownValues + valueState] = value;
    }

    /** Forgets the objects of all slots. */
    void forgetValues() {
        Arrays.fill(values, null);
    }

    /** Takes a slot that was long idle from its key; -1 if all are held. */
    int giveUp() {
        if (heldCount == size) {
            return NONE;
        }
        int slot = nextIdle();
        remove(slot);
        records[slot * recordSize + HOLDS] = FREE;
        keys[slot] = null;
        for (int state = 0; state < valueStates; state++) {
            setValueBytes(slot, state, 0);
        }
        for (int state = 0; state < knownValues; state++) {
            setValue(slot, state, null);
        }
        size--;
        bytes -= SLOT_BYTES;
        free[freeCount++] = slot;
        return slot;
    }

    private int nextIdle() {
        while (true) {
            int slot = hand;
            hand = slot + 1 < usedSlots ? slot + 1 : 0;
            int record = slot * recordSize;
            if (records[record + HOLDS] != 0) {
                continue;
            }
            if (records[record + USED] == 0) {
                return slot;
            }
            records[record + USED] = 0;
        }
    }

    /** Removes from the hash table; entries behind move up, so that no search ends early. */
    private void remove(int slot) {
        int mask = table.length - 1;
        int at = home(records[slot * recordSize + HASH]);
        while ((int) table[at] != slot + 1) {
            at = at + 1 & mask;
        }
        int next = at + 1 & mask;
        while (table[next] != 0) {
            int home = home(hash(table[next]));
            if ((next - home & mask) >= (next - at & mask)) {
                table[at] = table[next];
                at = next;
            }
            next = next + 1 & mask;
        }
        table[at] = 0;
    }
}
