using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Mamba.Managed.Models;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>One state in a file: a <see cref="SavedState"/> that holds the tokens and the device; its name tells how many tokens and has a hash of all.</summary>
internal static class PrefixFile
{
    /// <summary>What all names end with.</summary>
    public const string Extension = ".mambaprefix";

    private const int HashBytes = 16;
    private const long MostDescription = 1 << 20;

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789abcdef");

    private static ReadOnlySpan<byte> Magic => "MAMBAPFX"u8;

    /// <summary>The names of the beginnings of a text.</summary>
    /// <param name="tokens">The text.</param>
    /// <param name="lengths">How many tokens each has, ascending.</param>
    /// <param name="owner">Whose state it is.</param>
    public static IEnumerable<string> Names(ReadOnlyMemory<int> tokens, IEnumerable<int> lengths, PrefixOwner owner)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{owner.Device}\n{owner.Fingerprint}\n"));
        int done = 0;
        foreach (int length in lengths)
        {
            hash.AppendData(Bytes(tokens.Span[done..length]));
            done = length;
            yield return Throw.Invariant($"{length}-{Convert.ToHexStringLower(hash.GetCurrentHash().AsSpan(0, HashBytes))}{Extension}");
        }
    }

    /// <summary>How many tokens a file of this name holds; false if it is none of these files.</summary>
    public static bool TryParse(string name, out int length)
    {
        length = 0;
        int dash = name.IndexOf('-', StringComparison.Ordinal);
        return dash > 0 && name.Length == dash + 1 + (2 * HashBytes) + Extension.Length && name.EndsWith(Extension, StringComparison.Ordinal)
            && !name.AsSpan(dash + 1, 2 * HashBytes).ContainsAnyExcept(Digits)
            && int.TryParse(name.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out length) && length > 0;
    }

    /// <summary>Writes a state.</summary>
    public static void Write(Stream stream, PrefixOwner owner, int[] tokens, StoredState state) =>
        state.Save(stream, owner.Fingerprint, [.. Magic, .. Describe(owner), .. Bytes(tokens)]);

    /// <summary>Reads a state.</summary>
    /// <param name="path">The file.</param>
    /// <param name="owner">Whose it has to be.</param>
    /// <param name="tokens">What it has to have seen.</param>
    /// <param name="like">A state of that owner; only its sizes are used.</param>
    /// <exception cref="InvalidDataException">The file holds something else, or is damaged.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static StoredState Read(string path, PrefixOwner owner, ReadOnlySpan<int> tokens, SequenceState like)
    {
        using FileStream file = UntrustedFile.Open(path);
        long most = MostDescription + (sizeof(float) * (owner.Layout.Length(tokens.Length) + tokens.Length));
        Throw.Unless(file.Length <= most, $"{path}: expected at most {most} bytes, found {file.Length}");
        (byte[] session, float[] values, long position) = SavedState.Read(owner.Layout, file, owner.Fingerprint);
        byte[] start = [.. Magic, .. Describe(owner)];
        Throw.Unless(
            position == tokens.Length && session.AsSpan().StartsWith(start) && session.AsSpan(start.Length).SequenceEqual(Bytes(tokens)),
            $"{path}: expected the state after {tokens.Length} tokens that its name stands for, found another one");
        return StoredState.Of(values, position, like);
    }

    private static byte[] Describe(PrefixOwner owner)
    {
        byte[] device = Encoding.UTF8.GetBytes(owner.Device), length = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, device.Length);
        return [.. length, .. device];
    }

    private static byte[] Bytes(ReadOnlySpan<int> tokens)
    {
        byte[] bytes = MemoryMarshal.AsBytes(tokens).ToArray();
        if (!BitConverter.IsLittleEndian)
        {
            Span<int> words = MemoryMarshal.Cast<byte, int>(bytes.AsSpan());
            BinaryPrimitives.ReverseEndianness(words, words);
        }

        return bytes;
    }
}
