using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>The printable characters that represent bytes in byte-level vocabularies.</summary>
/// <remarks>GPT-2's <c>bytes_to_unicode</c>: printable Latin-1 characters represent themselves; the other 68 bytes are mapped to U+0100 and on.</remarks>
internal static class ByteAlphabet
{
    private const int Remapped = 0x100;

    /// <summary>The character that represents a byte.</summary>
    public static char CharacterOf(byte value) => (char)(value switch
    {
        <= 32 => Remapped + value,
        >= 127 and <= 160 => Remapped + value - 127 + 33,
        173 => Remapped + 67,
        _ => value,
    });

    /// <summary>The bytes that a token of the vocabulary stands for; a token with a character outside the alphabet stands for its own UTF-8 bytes.</summary>
    public static byte[] BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            int value = ByteOf(token[i]);
            if (value < 0)
            {
                return Encoding.UTF8.GetBytes(token);
            }

            bytes[i] = (byte)value;
        }

        return bytes;
    }

    // The remapped bytes in order: 0 to 32, 127 to 160, 173.
    private static int ByteOf(char c) => (c - Remapped) switch
    {
        >= 0 and <= 32 and int low => low,
        >= 33 and <= 66 and int middle => middle - 33 + 127,
        67 => 173,
        _ => IsPrintable(c) ? c : -1,
    };

    private static bool IsPrintable(char c) => c is (>= '!' and <= '~') or (>= '\u00A1' and <= '\u00FF' and not '\u00AD');
}
