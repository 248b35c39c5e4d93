using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Decodes bytes that are no UTF-8 as one U+FFFD each, where a decoder gives one for the beginning of a character.</summary>
/// <remarks>
/// This is how Hugging Face's <c>ByteFallback</c> shows byte tokens that do not make a character. It gives up the whole characters of the same run of
/// byte tokens too; here they stay, as a stream has shown them before the stray byte comes.
/// </remarks>
internal sealed class StrayByteFallback : DecoderFallback
{
    // The most bytes that a decoder reports at once: a character without its last byte.
    private const int MostBytes = 3;

    /// <summary>UTF-8 with this fallback.</summary>
    public static Encoding Utf8 { get; } = Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new StrayByteFallback());

    /// <inheritdoc/>
    public override int MaxCharCount => MostBytes;

    /// <inheritdoc/>
    public override DecoderFallbackBuffer CreateFallbackBuffer() => new Replacements();

    private sealed class Replacements : DecoderFallbackBuffer
    {
        private int count;
        private int taken;

        /// <inheritdoc/>
        public override int Remaining => count - taken;

        /// <inheritdoc/>
        public override bool Fallback(byte[] bytesUnknown, int index)
        {
            (count, taken) = (bytesUnknown.Length, 0);
            return true;
        }

        /// <inheritdoc/>
        public override char GetNextChar() => taken < count && taken++ >= 0 ? '\uFFFD' : '\0';

        /// <inheritdoc/>
        public override bool MovePrevious() => taken > 0 && taken-- > 0;

        /// <inheritdoc/>
        public override void Reset() => (count, taken) = (0, 0);
    }
}
