namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>How long a text may become when it is normalized.</summary>
/// <remarks>
/// Replacements one after the other can double a text each time, so that a short text fills the memory. The forms of Unicode make at most 18
/// characters of one, and what tokenizers put before a text is a mark.
/// </remarks>
internal static class NormalizedLength
{
    private const int Free = 1 << 20, PerCharacter = 64;

    /// <summary>The most characters that may come of a text.</summary>
    public static int Most(int length) => (int)Math.Min(Free + ((long)PerCharacter * length), int.MaxValue);

    /// <summary>Refuses a text that would become longer.</summary>
    /// <exception cref="InvalidDataException">It would.</exception>
    public static void Require(long length, int most) =>
        Throw.Unless(length <= most, $"normalizer: expected at most {most} characters to come of this text, found {length}; what the tokenizer's file puts into texts is too long");
}
