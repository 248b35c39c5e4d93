using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>Saves a state to bytes, to be restored later, on another machine or by another executor of the same model.</summary>
/// <remarks>
/// Little-endian, whatever the machine; the state in the canonical form of its <see cref="StateLayout"/>:
/// <code>
/// | "MAMBAST\0" | version 2: u32 | fingerprint: u64 | position: i64 | bytes of the layout: u32 | bytes of the session: i64 |
/// | layout: number of arrays: u32; of each: bytes of the name: u32, name in UTF-8, dimensions: u32, each: i32, -1 for the position |
/// | session: bytes whose meaning the caller defines | the arrays: float32 | CRC-32C of all before: u32 |
/// </code>
/// In version 3 the arrays are, one after the other: <c>| exponent: i32 | float16 numbers, to be multiplied by 2^exponent |</c>.
/// Nothing is read beyond the end, so that a stream may hold several states or other data after one. Files of version 1 are read as well.
/// </remarks>
public static class SavedState
{
    private const uint Version = 2;
    private const int HeaderLength = 40;
    private const int StartLength = 28;

    private static ReadOnlySpan<byte> Magic => "MAMBAST\0"u8;

    /// <summary>Writes a state.</summary>
    /// <param name="state">The state; not changed.</param>
    /// <param name="stream">The destination.</param>
    /// <param name="fingerprint">The model that the state belongs to: that of its executor.</param>
    /// <param name="session">Bytes of the caller to store with it, which <see cref="Restore"/> returns; may be empty.</param>
    /// <param name="type">How the numbers are stored: <see cref="ElementType.Float32"/>, exact, or <see cref="ElementType.Float16"/>, half the bytes.</param>
    /// <remarks>
    /// As float16, each number differs by at most 2^-11 of itself, or by 2^-39 of the largest number of its array where that is more; the tokens and the
    /// random numbers of a session are exact in any case.
    /// </remarks>
    /// <exception cref="ArgumentException"><paramref name="type"/> is another one.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public static void Save(
        this SequenceState state, Stream stream, ModelFingerprint fingerprint, ReadOnlySpan<byte> session = default, ElementType type = ElementType.Float32)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(stream);
        if (type is not (ElementType.Float32 or ElementType.Float16))
        {
            Throw.Argument($"expected {ElementType.Float32} or {ElementType.Float16}, found {type}", nameof(type));
        }

        long position = state.Position;
        int length = checked((int)state.Layout.Length(position));
        float[] values = ArrayPool<float>.Shared.Rent(length);
        try
        {
            state.Export(values.AsSpan(0, length));
            Write(stream, state.Layout, values.AsSpan(0, length), position, fingerprint, session, type);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(values);
        }
    }

    /// <summary>Makes a state equal to a saved one; a file that is refused leaves it as it was.</summary>
    /// <param name="state">A state of the same model.</param>
    /// <param name="stream">The source, at the first byte of the saved state.</param>
    /// <param name="fingerprint">The model that the state belongs to: that of its executor.</param>
    /// <returns>The caller's bytes that were stored with it; may be empty.</returns>
    /// <exception cref="InvalidDataException">The bytes are no saved state, of another version or model, truncated or damaged.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public static byte[] Restore(this SequenceState state, Stream stream, ModelFingerprint fingerprint)
    {
        ArgumentNullException.ThrowIfNull(state);
        (byte[] session, float[] values, long position) = Read(state.Layout, stream, fingerprint);
        state.Import(values, position);
        return session;
    }

    /// <summary>Writes a state of the canonical form.</summary>
    /// <param name="stream">The destination.</param>
    /// <param name="layout">The arrays.</param>
    /// <param name="values">As <see cref="SequenceState.Export"/> writes them; their order in memory may be changed.</param>
    /// <param name="position">The number of tokens.</param>
    /// <param name="fingerprint">The model.</param>
    /// <param name="session">The caller's bytes.</param>
    /// <param name="type">How numbers are stored.</param>
    internal static void Write(
        Stream stream, StateLayout layout, Span<float> values, long position, ModelFingerprint fingerprint, ReadOnlySpan<byte> session, ElementType type = ElementType.Float32)
    {
        byte[] description = Describe(layout);
        byte[] header = new byte[HeaderLength];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), type == ElementType.Float32 ? Version : SavedHalves.Version);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(12), fingerprint.Value);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(20), position);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(28), description.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), session.Length);
        CheckedWriter writer = new(stream);
        writer.Write(header);
        writer.Write(description);
        writer.Write(session);
        if (type == ElementType.Float32)
        {
            writer.Write(values);
        }
        else
        {
            SavedHalves.Write(writer, layout, values, position);
        }

        writer.End();
    }

    /// <summary>Reads what <see cref="Save"/> wrote for a state of this layout.</summary>
    internal static (byte[] Session, float[] Values, long Position) Read(StateLayout layout, Stream stream, ModelFingerprint fingerprint)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckedReader reader = new(stream);
        byte[] start = reader.Read(StartLength);
        Throw.Unless(start.AsSpan(0, 8).SequenceEqual(Magic), $"expected a saved Mamba state, found other data");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan(8));
        Throw.Unless(version is >= SavedStateVersion1.Version and <= SavedHalves.Version, $"expected a saved state of version 1 to {SavedHalves.Version}, found version {version}");
        ModelFingerprint found = new(BinaryPrimitives.ReadUInt64LittleEndian(start.AsSpan(12)));
        Throw.Unless(found == fingerprint, $"expected a state saved from the model {fingerprint}, found one of the model {found}");
        long position = BinaryPrimitives.ReadInt64LittleEndian(start.AsSpan(20));
        Throw.Unless(position >= 0, $"expected a position of 0 or more, found {position}; the saved state is damaged");
        (byte[] session, float[] values) = version == SavedStateVersion1.Version
            ? ([], SavedStateVersion1.Read(reader, layout)) : Read(reader, layout, position, isHalf: version == SavedHalves.Version);
        reader.End();
        return (session, values, position);
    }

    private static (byte[] Session, float[] Values) Read(CheckedReader reader, StateLayout layout, long position, bool isHalf)
    {
        byte[] expected = Describe(layout);
        byte[] rest = reader.Read(HeaderLength - StartLength);
        int layoutLength = BinaryPrimitives.ReadInt32LittleEndian(rest);
        long sessionLength = BinaryPrimitives.ReadInt64LittleEndian(rest.AsSpan(4));
        Throw.Unless(layoutLength == expected.Length && reader.Read(layoutLength).AsSpan().SequenceEqual(expected), $"expected a state of {layout}, found one of other sizes");
        Throw.Unless(sessionLength >= 0 && sessionLength <= Array.MaxLength, $"expected a session of 0 to {Array.MaxLength} bytes, found {sessionLength}; the saved state is damaged");
        byte[] session = reader.Read((int)sessionLength);
        int length = LengthAt(layout, position);
        return (session, isHalf ? SavedHalves.Read(reader, layout, length, position) : reader.ReadFloats(length));
    }

    private static int LengthAt(StateLayout layout, long position)
    {
        try
        {
            return checked((int)layout.Length(position));
        }
        catch (OverflowException)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a position whose state fits an array, found {position}; the saved state is damaged"));
        }
    }

    private static byte[] Describe(StateLayout layout)
    {
        using MemoryStream stream = new();
        Write(layout.Arrays.Length);
        foreach (StateArray array in layout.Arrays)
        {
            byte[] name = Encoding.UTF8.GetBytes(array.Name);
            Write(name.Length);
            stream.Write(name);
            Write(array.Shape.Length);
            foreach (int dimension in array.Shape)
            {
                Write(dimension);
            }
        }

        return stream.ToArray();

        void Write(int value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
            stream.Write(bytes);
        }
    }
}
