using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mamba.Managed.Grammars;

/// <summary>Sets the logits of tokens to negative infinity whose bit is not set.</summary>
internal static class TokenMask
{
    /// <summary>Applies a mask.</summary>
    /// <param name="mask">A bit for each logit.</param>
    /// <param name="logits">[vocabulary]</param>
    /// <returns>Whether any token is allowed.</returns>
    public static bool Apply(ReadOnlySpan<ulong> mask, Span<float> logits)
    {
        Debug.Assert(mask.Length == (logits.Length + 63) / 64, "one bit for each logit");
        ulong any = 0;
        int word = 0;
        for (; (word + 1) * 64 <= logits.Length; word++)
        {
            ulong bits = mask[word];
            any |= bits;
            if (bits == 0)
            {
                logits.Slice(word * 64, 64).Fill(float.NegativeInfinity);
            }
            else if (bits != ulong.MaxValue)
            {
                ApplyWord(bits, ref logits[word * 64]);
            }
        }

        for (int token = word * 64; token < logits.Length; token++)
        {
            any |= mask[word];
            logits[token] = (mask[word] >> token & 1) != 0 ? logits[token] : float.NegativeInfinity;
        }

        return any != 0;
    }

    // Eight lanes at a time: lane i keeps its logit where bit i of the byte is set.
    private static void ApplyWord(ulong bits, ref float logits)
    {
        Vector256<int> lanes = Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
        Vector256<float> forbidden = Vector256.Create(float.NegativeInfinity);
        for (int part = 0; part < 8; part++)
        {
            ref float eight = ref Unsafe.Add(ref logits, part * 8);
            Vector256<int> isAllowed = Vector256.Equals(Vector256.Create((int)(byte)(bits >> (part * 8))) & lanes, lanes);
            Vector256.ConditionalSelect(isAllowed.AsSingle(), Vector256.LoadUnsafe(ref eight), forbidden).StoreUnsafe(ref eight);
        }
    }
}
