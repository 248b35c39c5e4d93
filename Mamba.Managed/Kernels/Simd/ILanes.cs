namespace Mamba.Managed.Kernels.Simd;

/// <summary>The operations from which every vector kernel is written, once, for all widths.</summary>
/// <remarks>
/// Static members over raw vectors, so that the JIT sees plain intrinsics. Every operation is exact or correctly rounded, hence lane i of a
/// wide vector holds the same bits as a narrow or scalar form would: a tail needs no special care and a result does not depend on the width.
/// </remarks>
internal unsafe interface ILanes<V>
{
    /// <summary>How many neighboring values one vector holds.</summary>
    static abstract int Count { get; }

    static abstract V Load(float* source);

    static abstract void Store(float* destination, V value);

    static abstract V Broadcast(float value);

    static abstract V Add(V a, V b);

    static abstract V Subtract(V a, V b);

    static abstract V Multiply(V a, V b);

    static abstract V Divide(V a, V b);

    /// <summary>a b + c, rounded once.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The larger; <paramref name="x"/> where it is NaN.</summary>
    static abstract V Max(V limit, V x);

    /// <summary>The smaller; <paramref name="x"/> where it is NaN.</summary>
    static abstract V Min(V limit, V x);

    static abstract V Abs(V x);

    static abstract V Sqrt(V x);

    /// <summary>The low 9 bits moved to sign and exponent: 2^n for a value whose low bits hold n + 127.</summary>
    static abstract V PowerOfTwo(V biased);

    /// <summary>Neighboring numbers of half precision, as of <see cref="ScaledHalf"/>.</summary>
    static abstract V FromScaledHalf(ushort* source);

    /// <summary>Neighboring signed bytes as numbers.</summary>
    static abstract V FromSigned(byte* source);

    // The same register as whole numbers: 32 bits a lane, or two words of 16 bits or four bytes, the first in the lowest bits.

    /// <summary>Each lane moved to the left; zeros come in.</summary>
    static abstract V ShiftLeft(V integers, int count);

    /// <summary>Each lane moved to the right; its sign comes in.</summary>
    static abstract V ShiftRight(V integers, int count);

    /// <summary>The bits of each lane that <paramref name="mask"/> has.</summary>
    static abstract V Mask(V integers, int mask);

    /// <summary>Each word moved to the left, or to the right by a negative count; zeros come in.</summary>
    static abstract V ShiftWords(V words, int count);

    /// <summary>The bits of each byte that <paramref name="mask"/> has.</summary>
    static abstract V MaskBytes(V bytes, byte mask);

    /// <summary>The other bits of each byte where <paramref name="mask"/> has one.</summary>
    static abstract V FlipBytes(V bytes, byte mask);

    /// <summary>The first two bytes of each lane as words, with their signs.</summary>
    static abstract V FirstTwo(V bytes);

    /// <summary>The last two bytes of each lane as words, with their signs.</summary>
    static abstract V LastTwo(V bytes);

    static abstract V Or(V a, V b);

    /// <summary>The sum of the products of both signed words of a lane.</summary>
    static abstract V MultiplyAddWords(V a, V b);

    /// <summary>For each two bytes the sum of their products as a word; it must fit.</summary>
    static abstract V MultiplyAddBytes(V unsigned, V signed);

    /// <summary>For each two bytes the sum of their products as a word; no byte of <paramref name="b"/> may be -128.</summary>
    static abstract V MultiplyAddSignedBytes(V a, V b);

    /// <summary>Whether <see cref="DotAccumulate"/> is one instruction, for which sums of two products need not fit a word.</summary>
    static virtual bool HasDotAccumulate => false;

    // Abstract, without a body that throws: for a call that is not inlined, even one never made, the compiler keeps vectors of 64 bytes in memory.
    /// <summary>The sum and the products of the four bytes of each lane; sums of two products must fit a word unless it is one instruction.</summary>
    static abstract V DotAccumulate(V sum, V unsigned, V signed);

    static abstract V AddWords(V a, V b);

    static abstract V AddIntegers(V a, V b);

    static abstract V MaxIntegers(V a, V b);

    static abstract V ToSingle(V integers);

    /// <summary>The lowest byte of each lane.</summary>
    static abstract void StoreBytes(byte* destination, V integers);

    /// <summary>The lower word of each lane.</summary>
    static abstract void StoreWords(ushort* destination, V integers);

    /// <summary>The largest of all lanes.</summary>
    static abstract int Largest(V integers);

    /// <summary>The sum of all lanes.</summary>
    static abstract int Sum(V integers);
}
