using System.Text;
using Mamba.Managed.Models;

namespace Mamba.Managed.Generation;

/// <summary>What a saved session holds beside its state: the session part of a file of <see cref="SavedState"/>.</summary>
/// <remarks>
/// Little-endian; the turns are the places where prompts and generated tokens alternate:
/// <code>
/// | seed: u64 | random numbers: u64 | tokens: i32 | ids: i32 [tokens] | turns: i32 | places: i32 [turns] |
/// | held bytes: i32 | bytes | held text: i32 | UTF-8 |
/// </code>
/// </remarks>
internal static class SavedSession
{
    private const int MostHeldBytes = 3;

    /// <summary>The bytes of a session.</summary>
    public static byte[] Encode(GenerationSession session)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write(session.Seed);
        writer.Write(session.RandomState);
        Write(writer, session.Tokens);
        Write(writer, [.. session.Turns]);
        Write(writer, session.Held.Bytes);
        Write(writer, Encoding.UTF8.GetBytes(session.Held.Text));
        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>The session of some bytes.</summary>
    /// <param name="bytes">As <see cref="Encode"/> returns them.</param>
    /// <param name="state">The session's; not touched.</param>
    /// <param name="position">The number of tokens that the state will have seen.</param>
    /// <exception cref="InvalidDataException">The bytes contradict themselves or the state.</exception>
    public static GenerationSession Decode(byte[] bytes, SequenceState state, long position)
    {
        using BinaryReader reader = new(new MemoryStream(bytes));
        try
        {
            (ulong seed, ulong random) = (reader.ReadUInt64(), reader.ReadUInt64());
            List<int> tokens = ReadInts(reader), turns = ReadInts(reader);
            HeldText held = new(ReadBytes(reader), Encoding.UTF8.GetString(ReadBytes(reader)));
            bool isWhole = reader.BaseStream.Position == bytes.Length && position <= tokens.Count && held.Bytes.Length <= MostHeldBytes
                && tokens.TrueForAll(id => id >= 0) && turns.TrueForAll(place => place >= 0 && place <= tokens.Count)
                && turns.Zip(turns.Skip(1)).All(pair => pair.First <= pair.Second);
            Throw.Unless(isWhole, $"expected a session whose parts fit each other, found {tokens.Count} tokens and {turns.Count} turns at position {position}; the saved session is damaged");
            return new(state, tokens, turns, new SplitMix64(random)) { Seed = seed, Held = held };
        }
        catch (EndOfStreamException)
        {
            throw new InvalidDataException("expected a whole session, found its end too early; the saved session is damaged");
        }
    }

    private static void Write(BinaryWriter writer, ReadOnlySpan<int> values)
    {
        writer.Write(values.Length);
        foreach (int value in values)
        {
            writer.Write(value);
        }
    }

    private static void Write(BinaryWriter writer, byte[] bytes)
    {
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    private static List<int> ReadInts(BinaryReader reader)
    {
        int count = ReadCount(reader, sizeof(int));
        List<int> values = new(count);
        for (int i = 0; i < count; i++)
        {
            values.Add(reader.ReadInt32());
        }

        return values;
    }

    private static byte[] ReadBytes(BinaryReader reader) => reader.ReadBytes(ReadCount(reader, 1));

    // A count is checked against the remaining bytes before memory is allocated.
    private static int ReadCount(BinaryReader reader, int size)
    {
        int count = reader.ReadInt32();
        long left = (reader.BaseStream.Length - reader.BaseStream.Position) / size;
        return count >= 0 && count <= left ? count : throw new EndOfStreamException();
    }
}
