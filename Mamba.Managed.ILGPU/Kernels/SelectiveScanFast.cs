using ILGPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The fast form: which kernel runs, and in what groups.</content>
internal static partial class SelectiveScan
{
    /// <summary>Schedulers of a multiprocessor, each of which issues an instruction of one warp at a time.</summary>
    private const int Schedulers = 4;

    /// <summary>Channels of a warp that has all time in one lane.</summary>
    private const int WideWarpChannels = 8;

    /// <summary>Tokens below which time is not worth sharing.</summary>
    private const int NarrowLength = 64;

    /// <summary>Forward for GPUs with warps of 32.</summary>
    /// <remarks>
    /// Where channels alone give every scheduler two warps, a channel's time stays in one lane: fewest instructions. Otherwise eight lanes share it, which
    /// makes eight times as many warps.
    /// </remarks>
    internal static void Fast(GpuSession session, in ScanArguments arguments)
    {
        int warps = arguments.Segments.Count * arguments.Channels / WideWarpChannels;
        if (warps >= 2 * Schedulers * session.Accelerator.NumMultiprocessors || arguments.Segments.Longest <= NarrowLength)
        {
            Wide(session, arguments);
        }
        else
        {
            Narrow(session, arguments);
        }
    }

    /// <summary>Fast, with all time in one lane.</summary>
    internal static void Wide(GpuSession session, in ScanArguments arguments)
    {
        bool many = arguments.StateCount > Padding.States, half = arguments.U.Type == NumberType.BFloat16;
        Launch(session, arguments, channels: 32, residents: many ? 3 : 4, (many, half) switch
        {
            (false, false) => SelectiveScanKernels.Wide,
            (false, true) => SelectiveScanKernels.WideBFloat16,
            (true, false) => SelectiveScanKernels.WideManyStates,
            (true, true) => SelectiveScanKernels.WideManyStatesBFloat16,
        });
    }

    /// <summary>Fast, with time shared by eight lanes.</summary>
    internal static void Narrow(GpuSession session, in ScanArguments arguments)
    {
        bool many = arguments.StateCount > Padding.States, half = arguments.U.Type == NumberType.BFloat16;
        Launch(session, arguments, channels: 4, residents: many ? 2 : 3, (many, half) switch
        {
            (false, false) => SelectiveScanKernels.Narrow,
            (false, true) => SelectiveScanKernels.NarrowBFloat16,
            (true, false) => SelectiveScanKernels.NarrowManyStates,
            (true, true) => SelectiveScanKernels.NarrowManyStatesBFloat16,
        });
    }

    /// <summary>Backward for GPUs with warps of 32.</summary>
    /// <remarks>Where groups of channels are too few for every multiprocessor to have two, two warps share the states of the same channels.</remarks>
    internal static void FastBackward(GpuSession session, in ScanArguments arguments, in ScanGradients gradients)
    {
        int groups = arguments.Segments.Count * arguments.Channels / ScanGradientKernels.GroupChannels;
        if (groups >= 2 * session.Accelerator.NumMultiprocessors)
        {
            WideBackward(session, arguments, gradients);
        }
        else
        {
            NarrowBackward(session, arguments, gradients);
        }
    }

    /// <summary>Fast, with one warp for four channels.</summary>
    internal static void WideBackward(GpuSession session, in ScanArguments arguments, in ScanGradients gradients) => LaunchBackward(
        session, arguments, gradients, threads: 128, residents: 3,
        arguments.StateCount > Padding.States ? ScanGradientKernels.WideManyStates : ScanGradientKernels.Wide);

    /// <summary>Fast, with two warps for four channels.</summary>
    internal static void NarrowBackward(GpuSession session, in ScanArguments arguments, in ScanGradients gradients) => LaunchBackward(
        session, arguments, gradients, threads: 256, residents: 1,
        arguments.StateCount > Padding.States ? ScanGradientKernels.NarrowManyStates : ScanGradientKernels.Narrow);

    private static void LaunchBackward(
        GpuSession session, in ScanArguments arguments, in ScanGradients gradients, int threads, int residents, Action<FastScanGradients> kernel)
    {
        FastScanGradients work = new(arguments, gradients);
        int sequences = arguments.Segments.Count, columns = (arguments.Segments.Longest + 3) / 4;
        session.Grouped(kernel, threads, residents)(new(new Index3D(work.Groups, sequences, 1), new Index3D(threads, 1, 1)), work);
        if (columns > 0)
        {
            Index3D blocks = new((columns + ScanGradientKernels.SumThreads) / ScanGradientKernels.SumThreads, sequences, 2 * arguments.StateCount);
            session.Grouped<FastScanGradients>(ScanGradientKernels.AddGroups, ScanGradientKernels.SumThreads)(
                new(blocks, new Index3D(ScanGradientKernels.SumThreads, 1, 1)), work);
        }

        session.Plain<PlainScanGradients>(ParameterSums)(arguments.Channels * (arguments.StateCount + 2), new(arguments, gradients));
    }

    private static void Launch(GpuSession session, in ScanArguments arguments, int channels, int residents, Action<FastScan> kernel)
    {
        KernelConfig groups = new(
            new Index3D((arguments.Channels + channels - 1) / channels, arguments.Segments.Count, 1), new Index3D(SelectiveScanKernels.Threads, 1, 1));
        session.Grouped(kernel, SelectiveScanKernels.Threads, residents)(groups, new FastScan(arguments));
    }
}
