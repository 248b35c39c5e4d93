namespace Mamba.Managed.Tokenizers;

/// <summary>How far the start of a text has been decoded, where other rules hold than within it.</summary>
/// <param name="IsPassed">Whether what follows is within the text.</param>
/// <param name="HasToken">Whether there was a token.</param>
/// <param name="Stripped">How many characters were left out.</param>
internal readonly record struct TextStart(bool IsPassed, bool HasToken = false, int Stripped = 0);

/// <summary>The bytes of each token, and the rule for the start of a text.</summary>
/// <param name="Within">For each id its bytes within a text; null for an id without a token.</param>
/// <param name="First">The same where it is the first of a text.</param>
/// <param name="Stripped">The byte that is left out at the start of a text.</param>
/// <param name="MostStripped">How many of them at most.</param>
internal sealed record TokenBytes(byte[]?[] Within, byte[]?[] First, byte Stripped, int MostStripped)
{
    /// <summary>The next token's bytes in a text.</summary>
    public ReadOnlySpan<byte> Next(int token, ref TextStart start)
    {
        if (start.IsPassed)
        {
            return Within[token];
        }

        if (Within[token] is null)
        {
            return [];
        }

        ReadOnlySpan<byte> bytes = start.HasToken ? Within[token] : First[token];
        int stripped = 0;
        while (stripped < bytes.Length && start.Stripped + stripped < MostStripped && bytes[stripped] == Stripped)
        {
            stripped++;
        }

        bytes = bytes[stripped..];
        start = new(bytes.Length > 0 || start.Stripped + stripped == MostStripped, true, start.Stripped + stripped);
        return bytes;
    }
}
