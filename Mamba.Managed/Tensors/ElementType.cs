using System.Diagnostics.CodeAnalysis;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tensors;

/// <summary>How the elements of a <see cref="Tensor"/> are stored.</summary>
/// <remarks>
/// The types from <see cref="Q8_0"/> on are ggml's blocks, byte for byte: 32 or 256 neighbors of a row share scales, so a row is a whole
/// number of blocks. In the formulas q is an element's unsigned code, d and m are binary16, s and t are small integers of a group of 16 or
/// 32 elements.
/// </remarks>
[SuppressMessage("Naming", "CA1707", Justification = "the names under which these formats are known")]
public enum ElementType
{
    /// <summary>IEEE 754 binary32, 4 bytes.</summary>
    Float32,

    /// <summary>IEEE 754 binary16, 2 bytes.</summary>
    Float16,

    /// <summary>The upper half of a binary32 (8 exponent bits, 7 stored fraction bits), 2 bytes.</summary>
    BFloat16,

    /// <summary>Two's complement, 8 bytes: token ids in files.</summary>
    Int64,

    /// <summary>32 elements in 34 bytes: x = d q, q signed.</summary>
    Q8_0,

    /// <summary>32 elements in 18 bytes: x = d (q - 8).</summary>
    Q4_0,

    /// <summary>32 elements in 20 bytes: x = d q + m.</summary>
    Q4_1,

    /// <summary>32 elements in 22 bytes: x = d (q - 16).</summary>
    Q5_0,

    /// <summary>32 elements in 24 bytes: x = d q + m.</summary>
    Q5_1,

    /// <summary>256 elements in 84 bytes: x = d s q - m t, s and t of 4 bits for 16 elements.</summary>
    Q2_K,

    /// <summary>256 elements in 110 bytes: x = d s (q - 4), s of 6 bits for 16 elements.</summary>
    Q3_K,

    /// <summary>256 elements in 144 bytes: x = d s q - m t, s and t of 6 bits for 32 elements.</summary>
    Q4_K,

    /// <summary>256 elements in 176 bytes: x = d s q - m t, s and t of 6 bits for 32 elements.</summary>
    Q5_K,

    /// <summary>256 elements in 210 bytes: x = d s (q - 32), s of 8 bits for 16 elements.</summary>
    Q6_K,
}

/// <summary>Sizes of <see cref="ElementType"/> values.</summary>
public static class ElementTypes
{
    private const string NotAMember = "expected a member of ElementType";

    /// <summary>Bytes that one element takes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type stores blocks, or is not a member of <see cref="ElementType"/>.</exception>
    public static int Size(this ElementType type) => type.BlockLength() == 1
        ? type.BlockSize()
        : throw new ArgumentOutOfRangeException(nameof(type), type, "expected a type of single elements; use BlockSize");

    /// <summary>Neighboring elements of a row that are stored together: 1, or 32 or 256 for the quantized types.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a member of <see cref="ElementType"/>.</exception>
    public static int BlockLength(this ElementType type) => type switch
    {
        ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16 or ElementType.Int64 => 1,
        ElementType.Q8_0 or ElementType.Q4_0 or ElementType.Q4_1 or ElementType.Q5_0 or ElementType.Q5_1 => 32,
        ElementType.Q2_K or ElementType.Q3_K or ElementType.Q4_K or ElementType.Q5_K or ElementType.Q6_K => 256,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, NotAMember),
    };

    /// <summary>Bytes that <see cref="BlockLength"/> elements take.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a member of <see cref="ElementType"/>.</exception>
    public static int BlockSize(this ElementType type) => type switch
    {
        ElementType.Float32 => 4,
        ElementType.Float16 or ElementType.BFloat16 => 2,
        ElementType.Int64 => 8,
        ElementType.Q8_0 => 34,
        ElementType.Q4_0 => 18,
        ElementType.Q4_1 => 20,
        ElementType.Q5_0 => 22,
        ElementType.Q5_1 => 24,
        ElementType.Q2_K => 84,
        ElementType.Q3_K => 110,
        ElementType.Q4_K => 144,
        ElementType.Q5_K => 176,
        ElementType.Q6_K => 210,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, NotAMember),
    };

    /// <summary>Whether elements are stored in blocks that share scales.</summary>
    public static bool IsQuantized(this ElementType type) => type.BlockLength() > 1;

    /// <summary>Bytes that <paramref name="count"/> elements take; a multiple of <see cref="BlockLength"/>.</summary>
    internal static long ByteLength(this ElementType type, long count) => count / type.BlockLength() * type.BlockSize();
}
