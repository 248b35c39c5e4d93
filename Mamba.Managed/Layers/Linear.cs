using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Layers;

/// <summary>y = W x + b for each vector of a sequence.</summary>
/// <param name="Weight">[outputs, inputs]</param>
/// <param name="Bias">[outputs], or null for none.</param>
public sealed record Linear(Tensor Weight, Tensor? Bias = null) : IParameterTree<Linear>
{
    /// <summary>Applies the layer to each vector of a sequence, on the calling thread.</summary>
    /// <param name="x">[length, inputs]</param>
    /// <param name="y">[length, outputs]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The lengths do not agree.</exception>
    public void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        int inputs = Weight.Shape[1];
        int rows = x.Length / inputs;
        Throw.UnlessLength(rows * inputs, x.Length);
        Tensor? single = Bias?.ToFloat32();
        ReadOnlySpan<float> bias = single is null ? [] : single.Floats;
        if (rows > 0)
        {
            using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, inputs);
            MatrixProduct.Forward(Worker.Alone, scratch, x, inputs, new PackedMatrix(Weight), bias, y, rows);
        }

        GC.KeepAlive(single);
    }

    /// <inheritdoc/>
    public Linear Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(path.Below("weight"), Weight), map.MapOptional(path.Below("bias"), Bias));
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"Linear {Weight.Shape[1]} -> {Weight.Shape[0]}{(Bias is null ? "" : " + bias")}");
}
