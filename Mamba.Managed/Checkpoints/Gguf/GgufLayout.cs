using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The constants of the GGUF format.</summary>
/// <remarks>
/// <code>
/// "GGUF" | version: 4 | tensors: 8 | values: 8
/// each value:  key: string | type: 4 | bytes
/// each tensor: name: string | dimensions: 4 | each dimension, fastest first: 8 | type: 4 | offset from the data's start: 8
/// padding to the alignment | data, each tensor at a multiple of the alignment
/// </code>
/// Everything is little endian; versions 2 and 3 differ only in that 3 may also be big endian, which is refused here.
/// </remarks>
internal static class GgufLayout
{
    /// <summary>"GGUF" as it reads as a little-endian number.</summary>
    public const uint Magic = 0x46554747;

    /// <summary>The version that is written.</summary>
    public const uint Version = 3;

    /// <summary>The alignment of a file without <see cref="AlignmentKey"/>.</summary>
    public const int DefaultAlignment = 32;

    /// <summary>The key of the alignment.</summary>
    public const string AlignmentKey = "general.alignment";

    /// <summary>The key of the architecture.</summary>
    public const string ArchitectureKey = "general.architecture";

    private static readonly (int Number, ElementType Type)[] Types =
    [
        (0, ElementType.Float32), (1, ElementType.Float16), (30, ElementType.BFloat16), (27, ElementType.Int64),
        (2, ElementType.Q4_0), (3, ElementType.Q4_1), (6, ElementType.Q5_0), (7, ElementType.Q5_1), (8, ElementType.Q8_0),
        (10, ElementType.Q2_K), (11, ElementType.Q3_K), (12, ElementType.Q4_K), (13, ElementType.Q5_K), (14, ElementType.Q6_K),
    ];

    /// <summary>The element type of a ggml type number; null for one that is not supported.</summary>
    public static ElementType? TypeOf(uint number)
    {
        foreach ((int known, ElementType type) in Types)
        {
            if (known == number)
            {
                return type;
            }
        }

        return null;
    }

    /// <summary>The ggml type number of an element type.</summary>
    public static int NumberOf(ElementType type) => Array.Find(Types, pair => pair.Type == type).Number;

    /// <summary>Bytes of a value of fixed size; null for strings, arrays and unknown types.</summary>
    public static int? SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Boolean => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => null,
    };

    /// <summary>The next multiple of the alignment.</summary>
    public static long Align(long position, int alignment) => (position + alignment - 1) / alignment * alignment;
}
