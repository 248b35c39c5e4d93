using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Models;

/// <summary>Saves a state to bytes, to be restored later or on another machine.</summary>
/// <remarks>
/// Little-endian, whatever the machine:
/// <code>
/// | "MAMBAST\0" | version: u32 | fingerprint: u64 | position: i64 | layers, channels, window, states: i32 each |
/// | per layer: window float32 [d_conv, d_inner], scan float32 [d_state, d_inner] | CRC-32C of all before: u32 |
/// </code>
/// Nothing is read beyond the end, so that a stream may hold several states or other data after one.
/// </remarks>
public static class SavedState
{
    private const uint Version = 1;
    private const int HeaderLength = 44;

    private static ReadOnlySpan<byte> Magic => "MAMBAST\0"u8;

    /// <summary>Writes a state.</summary>
    /// <param name="sequence">The state; not changed.</param>
    /// <param name="stream">Where to.</param>
    /// <param name="fingerprint">The model that the state belongs to.</param>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public static void Save(this SequenceState sequence, Stream stream, ModelFingerprint fingerprint)
    {
        CpuState state = (CpuState)sequence;
        ArgumentNullException.ThrowIfNull(stream);
        Span<byte> header = stackalloc byte[HeaderLength];
        WriteHeader(header, state, fingerprint);
        stream.Write(header);
        uint checksum = Checksum(0, header);
        byte[] bytes = new byte[LongestPart(state)];
        foreach (MixerState layer in state.Layers)
        {
            checksum = Write(stream, layer.ConvState, bytes, checksum);
            checksum = Write(stream, layer.SsmRows(), bytes, checksum);
        }

        Span<byte> end = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(end, checksum);
        stream.Write(end);
    }

    /// <summary>Makes a state equal to a saved one; a file that is refused leaves it as it was.</summary>
    /// <param name="sequence">A state of the same model.</param>
    /// <param name="stream">Where from, at the first byte.</param>
    /// <param name="fingerprint">The model that the state belongs to.</param>
    /// <exception cref="InvalidDataException">The bytes are no saved state, of another version or model, truncated or damaged.</exception>
    public static void Restore(this SequenceState sequence, Stream stream, ModelFingerprint fingerprint)
    {
        CpuState state = (CpuState)sequence;
        ArgumentNullException.ThrowIfNull(stream);
        byte[] header = new byte[HeaderLength];
        Read(stream, header);
        CheckHeader(header, state, fingerprint);

        // Sizes are the state's own by now, so that a stranger's numbers reserve nothing.
        byte[][] parts = new byte[2 * state.Layers.Length][];
        uint checksum = Checksum(0, header);
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = new byte[Part(state, i).Length * sizeof(float)];
            Read(stream, parts[i]);
            checksum = Checksum(checksum, parts[i]);
        }

        byte[] end = new byte[sizeof(uint)];
        Read(stream, end);
        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(end);
        Throw.Unless(stored == checksum, $"expected the checksum {checksum:x8}, found {stored:x8}; the saved state is damaged");
        for (int i = 0; i < parts.Length; i++)
        {
            Span<float> values = MemoryMarshal.Cast<byte, float>(parts[i].AsSpan());
            ToLittleEndian(values);
            MixerState layer = state.Layers[i / 2];
            if (i % 2 == 0)
            {
                values.CopyTo(layer.ConvState);
            }
            else
            {
                layer.SetSsmRows(values);
            }
        }

        state.MoveTo(BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(20)));
    }

    private static void WriteHeader(Span<byte> header, CpuState state, ModelFingerprint fingerprint)
    {
        MixerState layer = state.Layers[0];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteUInt64LittleEndian(header[12..], fingerprint.Value);
        BinaryPrimitives.WriteInt64LittleEndian(header[20..], state.Position);
        BinaryPrimitives.WriteInt32LittleEndian(header[28..], state.Layers.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[32..], layer.Channels);
        BinaryPrimitives.WriteInt32LittleEndian(header[36..], layer.ConvLength);
        BinaryPrimitives.WriteInt32LittleEndian(header[40..], layer.States);
    }

    private static void CheckHeader(ReadOnlySpan<byte> header, CpuState state, ModelFingerprint fingerprint)
    {
        Throw.Unless(header[..8].SequenceEqual(Magic), $"expected a saved Mamba state, found other data");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        Throw.Unless(version == Version, $"expected a saved state of version {Version}, found version {version}");
        ModelFingerprint found = new(BinaryPrimitives.ReadUInt64LittleEndian(header[12..]));
        Throw.Unless(found == fingerprint, $"expected a state saved from the model {fingerprint}, found one of the model {found}");
        long position = BinaryPrimitives.ReadInt64LittleEndian(header[20..]);
        Throw.Unless(position >= 0, $"expected a position of 0 or more, found {position}; the saved state is damaged");
        Span<byte> expected = stackalloc byte[HeaderLength];
        WriteHeader(expected, state, fingerprint);
        Throw.Unless(header[28..].SequenceEqual(expected[28..]), $"expected a state of {state}, found one of other sizes");
    }

    private static Span<float> Part(CpuState state, int index) => index % 2 == 0 ? state.Layers[index / 2].ConvState : state.Layers[index / 2].SsmState;

    private static int LongestPart(CpuState state) => sizeof(float) * Math.Max(state.Layers[0].ConvState.Length, state.Layers[0].SsmState.Length);

    private static uint Write(Stream stream, ReadOnlySpan<float> values, byte[] buffer, uint checksum)
    {
        Span<byte> bytes = buffer.AsSpan(0, values.Length * sizeof(float));
        MemoryMarshal.AsBytes(values).CopyTo(bytes);
        ToLittleEndian(MemoryMarshal.Cast<byte, float>(bytes));
        stream.Write(bytes);
        return Checksum(checksum, bytes);
    }

    // From the machine's order, or back to it.
    private static void ToLittleEndian(Span<float> values)
    {
        if (!BitConverter.IsLittleEndian)
        {
            Span<int> words = MemoryMarshal.Cast<float, int>(values);
            BinaryPrimitives.ReverseEndianness(words, words);
        }
    }

    private static void Read(Stream stream, byte[] bytes)
    {
        int found = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        Throw.Unless(found == bytes.Length, $"expected {bytes.Length - found} more bytes, found the end; the saved state is truncated");
    }

    private static uint Checksum(uint checksum, ReadOnlySpan<byte> bytes)
    {
        checksum = ~checksum;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte value in bytes)
        {
            checksum = BitOperations.Crc32C(checksum, value);
        }

        return ~checksum;
    }

    #pragma warning disable CS1591 // TEMP
    public static void Save(this SequenceState sequence, Stream stream, ModelFingerprint fingerprint, byte[] session) { Save(sequence, stream, fingerprint); stream.Write(BitConverter.GetBytes(session.Length)); stream.Write(session); }
    public static byte[] RestoreSession(this SequenceState sequence, Stream stream, ModelFingerprint fingerprint) { Restore(sequence, stream, fingerprint); byte[] n = new byte[4]; stream.ReadExactly(n); byte[] b = new byte[BitConverter.ToInt32(n)]; stream.ReadExactly(b); return b; }
}
