using System.Diagnostics.CodeAnalysis;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The mix of types of a GGUF file's tensors; the numbers are those of <c>general.file_type</c>.</summary>
[SuppressMessage("Naming", "CA1707", Justification = "the names under which these mixes are known")]
public enum GgufFileType
{
    /// <summary>Everything in single precision.</summary>
    F32 = 0,

    /// <summary>Half precision for the embedding, the head and the projections in and out.</summary>
    F16 = 1,

    /// <summary>Q4_0; the embedding or head in Q6_K.</summary>
    Q4_0 = 2,

    /// <summary>Q4_1; the embedding or head in Q6_K.</summary>
    Q4_1 = 3,

    /// <summary>Q8_0.</summary>
    Q8_0 = 7,

    /// <summary>Q5_0; the embedding or head in Q6_K.</summary>
    Q5_0 = 8,

    /// <summary>Q5_1; the embedding or head in Q6_K.</summary>
    Q5_1 = 9,

    /// <summary>Q2_K; the embedding or head in Q6_K.</summary>
    Q2_K = 10,

    /// <summary>Q3_K; the embedding or head in Q6_K.</summary>
    Q3_K_M = 12,

    /// <summary>Q4_K; the embedding or head in Q6_K.</summary>
    Q4_K_M = 15,

    /// <summary>Q5_K; the embedding or head in Q6_K.</summary>
    Q5_K_M = 17,

    /// <summary>Q6_K.</summary>
    Q6_K = 18,

    /// <summary>bfloat16 for the embedding, the head and the projections in and out.</summary>
    BF16 = 32,
}

/// <summary>Chooses the type of each tensor as llama.cpp's converter and llama-quantize do for the architecture <c>mamba</c>.</summary>
/// <remarks>
/// Vectors, the convolution, A and D stay in single precision: they are small, and the scan is sensitive to them. The output head, or the tied
/// embedding, takes at least Q6_K. A matrix whose rows are not a multiple of the block length takes the next wider type with smaller blocks, or
/// half precision.
/// </remarks>
internal static class GgufTypeMix
{
    /// <summary>The type for a tensor.</summary>
    /// <param name="mix">The file's mix of types.</param>
    /// <param name="info">The tensor's description.</param>
    /// <param name="rowLength">Its last dimension.</param>
    /// <param name="isTied">Whether the embedding is the head too.</param>
    /// <exception cref="ArgumentOutOfRangeException">The mix is not a member of <see cref="GgufFileType"/>.</exception>
    public static ElementType TypeOf(GgufFileType mix, ParameterInfo info, int rowLength, bool isTied)
    {
        ElementType target = BaseOf(mix);
        if (!info.IsMatrix)
        {
            return ElementType.Float32;
        }

        if (!target.IsQuantized())
        {
            return info.Kind == ParameterKind.Selection ? ElementType.Float32 : target;
        }

        bool isHead = info.Kind == ParameterKind.Head || (isTied && info.Kind == ParameterKind.Embedding);
        if (isHead && target != ElementType.Q8_0)
        {
            target = rowLength % target.BlockLength() == 0 ? ElementType.Q6_K : ElementType.Q8_0;
        }

        return Fitting(target, rowLength);
    }

    private static ElementType BaseOf(GgufFileType mix) => mix switch
    {
        GgufFileType.F32 => ElementType.Float32,
        GgufFileType.F16 => ElementType.Float16,
        GgufFileType.BF16 => ElementType.BFloat16,
        GgufFileType.Q8_0 => ElementType.Q8_0,
        GgufFileType.Q4_0 => ElementType.Q4_0,
        GgufFileType.Q4_1 => ElementType.Q4_1,
        GgufFileType.Q5_0 => ElementType.Q5_0,
        GgufFileType.Q5_1 => ElementType.Q5_1,
        GgufFileType.Q2_K => ElementType.Q2_K,
        GgufFileType.Q3_K_M => ElementType.Q3_K,
        GgufFileType.Q4_K_M => ElementType.Q4_K,
        GgufFileType.Q5_K_M => ElementType.Q5_K,
        GgufFileType.Q6_K => ElementType.Q6_K,
        _ => throw new ArgumentOutOfRangeException(nameof(mix), mix, "expected a member of GgufFileType"),
    };

    private static ElementType Fitting(ElementType target, int rowLength)
    {
        if (rowLength % target.BlockLength() == 0)
        {
            return target;
        }

        ElementType smaller = target switch
        {
            ElementType.Q2_K or ElementType.Q3_K => ElementType.Q4_0,
            ElementType.Q4_K => ElementType.Q5_0,
            ElementType.Q5_K => ElementType.Q5_1,
            ElementType.Q6_K => ElementType.Q8_0,
            _ => target,
        };
        return rowLength % smaller.BlockLength() == 0 ? smaller : ElementType.Float16;
    }
}
