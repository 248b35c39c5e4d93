using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Gradients that the backward pass of <see cref="CausalConvolution"/> reads and writes. The matrices are float32.</summary>
internal readonly record struct ConvolutionGradients
{
    /// <summary>[channels, tokens]: of y, read; padding columns count as zero.</summary>
    public required DeviceMatrix Y { get; init; }

    /// <summary>[channels, tokens]: of x, written, zero in a sequence's padding columns; not <see cref="Y"/>.</summary>
    public required DeviceMatrix X { get; init; }

    /// <summary>[channels, width]: added to.</summary>
    public required ArrayView<float> Weight { get; init; }

    /// <summary>[channels], or empty where there is no bias: added to.</summary>
    public required ArrayView<float> Bias { get; init; }

    /// <summary>Scratch memory of <see cref="CausalConvolution.BackwardWorkspace"/> numbers.</summary>
    public required ArrayView<float> Workspace { get; init; }

    internal void Check(in ConvolutionArguments arguments)
    {
        if (arguments.X.Type != NumberType.Float32)
        {
            throw new ArgumentException($"expected a backward pass in float32, found {arguments.X.Type}");
        }

        arguments.CheckMatrix(Y, "gradient of y");
        arguments.CheckMatrix(X, "gradient of x");
        ScanArguments.CheckLength(Weight, arguments.Weight.Length, "gradient of the weight");
        ScanArguments.CheckLength(Bias, arguments.Bias.Length, "gradient of the bias");
        ScanArguments.CheckLength(
            Workspace, CausalConvolution.BackwardWorkspace(arguments.Channels, arguments.Width, arguments.Segments.Count), "workspace");
    }
}
