using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Cli;

/// <summary>The types of <c>--type</c>, for files and for weights in memory.</summary>
internal static class WeightTypes
{
    // As in llama-quantize, the mixes of K formats have a short name too.
    private static readonly Dictionary<string, GgufFileType> types = new()
    {
        ["f32"] = GgufFileType.F32,
        ["f16"] = GgufFileType.F16,
        ["bf16"] = GgufFileType.BF16,
        ["q8_0"] = GgufFileType.Q8_0,
        ["q4_0"] = GgufFileType.Q4_0,
        ["q4_1"] = GgufFileType.Q4_1,
        ["q5_0"] = GgufFileType.Q5_0,
        ["q5_1"] = GgufFileType.Q5_1,
        ["q2_k"] = GgufFileType.Q2_K,
        ["q3_k"] = GgufFileType.Q3_K_M,
        ["q3_k_m"] = GgufFileType.Q3_K_M,
        ["q4_k"] = GgufFileType.Q4_K_M,
        ["q4_k_m"] = GgufFileType.Q4_K_M,
        ["q5_k"] = GgufFileType.Q5_K_M,
        ["q5_k_m"] = GgufFileType.Q5_K_M,
        ["q6_k"] = GgufFileType.Q6_K,
    };

    public static string[] Names => [.. types.Keys];

    /// <summary>The mix of types of a name.</summary>
    public static GgufFileType Of(string name) => types[name];

    /// <summary>The type of all tensors of a model folder.</summary>
    /// <exception cref="ArgumentException">The type is quantized, which only GGUF files support.</exception>
    public static ElementType OfFolder(string name) => Of(name) switch
    {
        GgufFileType.F32 => ElementType.Float32,
        GgufFileType.F16 => ElementType.Float16,
        GgufFileType.BF16 => ElementType.BFloat16,
        _ => throw new ArgumentException($"--type {name}: expected f32, f16 or bf16 for a folder; a destination that ends in .gguf holds {name}"),
    };
}
