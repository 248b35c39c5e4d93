namespace Mamba.Managed.Tensors;

/// <summary>How the elements of a <see cref="Tensor"/> are stored.</summary>
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
}

/// <summary>Sizes of <see cref="ElementType"/> values.</summary>
public static class ElementTypes
{
    /// <summary>Bytes that one element takes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a member of <see cref="ElementType"/>.</exception>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Float32 => 4,
        ElementType.Float16 or ElementType.BFloat16 => 2,
        ElementType.Int64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "expected a member of ElementType"),
    };
}
