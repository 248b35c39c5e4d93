using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>How a variant of <see cref="StepProductKernels"/> tiles its product.</summary>
/// <param name="Rows">Rows of the weights that a group has.</param>
/// <param name="Warps">Warps of a group.</param>
/// <param name="Groups">Groups that share a multiprocessor.</param>
internal readonly record struct StepProductShape(int Rows, int Warps, int Groups = 1)
{
    /// <summary>The input projection.</summary>
    public static StepProductShape Input => new(32, 8);

    /// <summary>The projections from the channels, in parts.</summary>
    public static StepProductShape Output => new(16, 8, 2);

    /// <summary>The same in bfloat16, whose activations take more registers.</summary>
    public static StepProductShape OutputBFloat16 => new(16, 8);

    /// <summary>The head: many rows a group, so that few groups read the activations.</summary>
    public static StepProductShape Head => new(64, 4);

    /// <summary>The head in bfloat16, whose activations take more registers.</summary>
    public static StepProductShape HeadBFloat16 => new(48, 4);
}

/// <summary>One of the three products, for several widths of tile.</summary>
/// <param name="session">Where it runs.</param>
/// <param name="shape">The tile.</param>
/// <param name="kernels">Kernels with the sequences of their tiles, the narrowest first.</param>
internal sealed class StepProduct(GpuSession session, StepProductShape shape, params (int Width, Action<StepProductArguments> Kernel)[] kernels)
{
    /// <summary>How the product is tiled.</summary>
    public StepProductShape Shape => shape;

    /// <summary>Computes the product.</summary>
    /// <param name="count">How many sequences.</param>
    /// <param name="parts">Into how many parts the inputs are divided.</param>
    /// <param name="arguments">What is read and written.</param>
    public void Launch(int count, int parts, StepProductArguments arguments)
    {
        (int width, Action<StepProductArguments> kernel) = For(count);
        Index3D grid = new((arguments.Rows + shape.Rows - 1) / shape.Rows, parts, (count + width - 1) / width);
        session.Grouped(kernel, shape.Warps * 32, shape.Groups)(new KernelConfig(grid, new Index3D(shape.Warps * 32, 1, 1)), arguments);
    }

    /// <summary>Compiles what <see cref="Launch"/> needs for a number of sequences.</summary>
    public void Prepare(int count) => session.Grouped(For(count).Kernel, shape.Warps * 32, shape.Groups);

    private (int Width, Action<StepProductArguments> Kernel) For(int count)
    {
        int index = Array.FindIndex(kernels, kernel => kernel.Width >= count);
        return index < 0 ? kernels[^1] : kernels[index];
    }
}

/// <summary>The kernels of <see cref="BatchStep"/> for one type of weights.</summary>
internal sealed record BatchKernels
{
    /// <summary>The input projection and the convolution.</summary>
    public required StepProduct Input { get; init; }

    /// <summary>The projections from the channels.</summary>
    public required StepProduct Output { get; init; }

    /// <summary>The head.</summary>
    public required StepProduct Head { get; init; }

    /// <summary>The scan's step.</summary>
    public required Action<StepAdvanceKernels.Arguments> Advance { get; init; }

    /// <summary>Those of a device with matrix instructions.</summary>
    public static BatchKernels Of(GpuSession session, NumberType type) => type == NumberType.Float32
        ? new()
        {
            Input = new(session, StepProductShape.Input, (8, StepProductKernels.In8), (16, StepProductKernels.In16), (32, StepProductKernels.In32)),
            Output = new(session, StepProductShape.Output, (8, StepProductKernels.Out8), (16, StepProductKernels.Out16), (32, StepProductKernels.Out32)),
            Head = new(session, StepProductShape.Head, (8, StepProductKernels.Head8), (16, StepProductKernels.Head16), (32, StepProductKernels.Head32)),
            Advance = StepAdvanceKernels.Float32,
        }
        : new()
        {
            Input = new(session, StepProductShape.Input, (8, StepProductKernels.InBFloat16x8), (16, StepProductKernels.InBFloat16x16), (32, StepProductKernels.InBFloat16x32)),
            Output = new(session, StepProductShape.OutputBFloat16, (8, StepProductKernels.OutBFloat16x8), (16, StepProductKernels.OutBFloat16x16), (32, StepProductKernels.OutBFloat16x32)),
            Head = new(session, StepProductShape.HeadBFloat16, (8, StepProductKernels.HeadBFloat16x8), (16, StepProductKernels.HeadBFloat16x16), (32, StepProductKernels.HeadBFloat16x32)),
            Advance = StepAdvanceKernels.BFloat16Weights,
        };
}
