using System.Buffers.Binary;
using System.Text;

namespace Mamba.Managed.Models;

/// <summary>Saves a state to bytes, to be restored later, on another machine or by another executor of the same model.</summary>
/// <remarks>
/// Little-endian, whatever the machine; the state in the canonical form of its <see cref="StateLayout"/>:
/// <code>
/// | "MAMBAST\0" | version 2: u32 | fingerprint: u64 | position: i64 | bytes of the layout: u32 | bytes of the session: i64 |
/// | layout: number of arrays: u32; of each: bytes of the name: u32, name in UTF-8, dimensions: u32, each: i32, -1 for the position |
/// | session: bytes whose meaning the caller defines | the arrays: float32 | CRC-32C of all before: u32 |
/// </code>
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
    /// <exception cref="IOException">The stream cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public static void Save(this SequenceState state, Stream stream, ModelFingerprint fingerprint, ReadOnlySpan<byte> session = default)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(stream);
        long position = state.Position;
        float[] values = new float[checked((int)state.Layout.Length(position))];
        state.Export(values);
        byte[] layout = Describe(state.Layout);
        byte[] header = new byte[HeaderLength];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(12), fingerprint.Value);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(20), position);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(28), layout.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), session.Length);
        CheckedWriter writer = new(stream);
        writer.Write(header);
        writer.Write(layout);
        writer.Write(session);
        writer.Write(values);
        writer.End();
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
        (byte[] session, float[] values, long position) = Read(state, stream, fingerprint);
        state.Import(values, position);
        return session;
    }

    /// <summary>Reads what <see cref="Save"/> wrote for a state of this layout, which is not changed.</summary>
    internal static (byte[] Session, float[] Values, long Position) Read(SequenceState state, Stream stream, ModelFingerprint fingerprint)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CheckedReader reader = new(stream);
        byte[] start = reader.Read(StartLength);
        Throw.Unless(start.AsSpan(0, 8).SequenceEqual(Magic), $"expected a saved Mamba state, found other data");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan(8));
        Throw.Unless(version is Version or SavedStateVersion1.Version, $"expected a saved state of version 1 or {Version}, found version {version}");
        ModelFingerprint found = new(BinaryPrimitives.ReadUInt64LittleEndian(start.AsSpan(12)));
        Throw.Unless(found == fingerprint, $"expected a state saved from the model {fingerprint}, found one of the model {found}");
        long position = BinaryPrimitives.ReadInt64LittleEndian(start.AsSpan(20));
        Throw.Unless(position >= 0, $"expected a position of 0 or more, found {position}; the saved state is damaged");
        (byte[] session, float[] values) = version == Version ? Read(reader, state, position) : ([], SavedStateVersion1.Read(reader, state));
        reader.End();
        return (session, values, position);
    }

    private static (byte[] Session, float[] Values) Read(CheckedReader reader, SequenceState state, long position)
    {
        byte[] expected = Describe(state.Layout);
        byte[] rest = reader.Read(HeaderLength - StartLength);
        int layoutLength = BinaryPrimitives.ReadInt32LittleEndian(rest);
        long sessionLength = BinaryPrimitives.ReadInt64LittleEndian(rest.AsSpan(4));
        Throw.Unless(layoutLength == expected.Length && reader.Read(layoutLength).AsSpan().SequenceEqual(expected), $"expected a state of {state}, found one of other sizes");
        Throw.Unless(sessionLength >= 0 && sessionLength <= Array.MaxLength, $"expected a session of 0 to {Array.MaxLength} bytes, found {sessionLength}; the saved state is damaged");
        byte[] session = reader.Read((int)sessionLength);
        return (session, reader.ReadFloats(LengthAt(state.Layout, position)));
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
