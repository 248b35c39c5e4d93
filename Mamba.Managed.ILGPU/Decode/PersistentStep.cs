using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>A step of one sequence by <see cref="PersistentKernel"/>.</summary>
internal sealed class PersistentStep : IDisposable
{
    /// <summary>With so many threads a group has 24 warps of 80 registers.</summary>
    private const int MostThreads = 768;

    /// <summary>Units of 16 bytes of a row of in_proj that a warp has in registers.</summary>
    private const int InputUnits = 192;

    private readonly GpuSession session;
    private readonly DeviceMemory memory;
    private readonly ArrayView<long> words;
    private readonly Action<PersistentArguments> kernel;
    private readonly int groups;
    private readonly int threads;
    private PersistentArguments arguments;

    /// <summary>Prepares steps of a model.</summary>
    /// <param name="session">Where they run.</param>
    /// <param name="weights">The model, for which <see cref="Fits"/> holds.</param>
    /// <param name="buffers">Token and slot have been sent before a step.</param>
    /// <param name="kernel">A variant of the kernel for the type of the weights.</param>
    /// <param name="mostThreads">The most threads of a group; at least two for each of its channels, one for each of its features.</param>
    public PersistentStep(GpuSession session, DeviceWeights weights, StepBuffers buffers, Action<PersistentArguments> kernel, int mostThreads = MostThreads)
    {
        this.session = session;
        this.kernel = kernel;
        groups = session.Accelerator.NumMultiprocessors;
        threads = Math.Min(mostThreads, ThreadsOn(session.Accelerator));
        memory = new(session);
        ModelShape shape = weights.Shape;
        int sharing = Sharing(shape, groups);
        words = memory.Take<long>(shape.Features + shape.Channels + ((long)shape.Projected * (sharing + 1)));
        arguments = Describe(weights, buffers, sharing);
        PlaceWeights(weights);
        PlaceWords(shape, sharing);
    }

    /// <summary>The kernel for a device with NVIDIA's instructions.</summary>
    public static Action<PersistentArguments> KernelFor(NumberType type) =>
        type == NumberType.Float32 ? PersistentKernel.Float32 : PersistentKernel.BFloat16Weights;

    /// <summary>Whether a model's sizes fit into the kernel's shared memory.</summary>
    public static bool Fits(ModelShape shape, int groups)
    {
        int sharing = Sharing(shape, groups);
        return shape.Config.NLayer <= PersistentKernel.MaxLayers
            && Math.Max(shape.Features, shape.Channels) <= PersistentKernel.MaxVector
            && shape.Projected <= PersistentKernel.MaxProjected
            && Most(shape.Channels / 4, sharing) * 4 <= PersistentKernel.MaxRows
            && Most(shape.Features, sharing) <= PersistentKernel.MaxRows;
    }

    /// <summary>Whether all groups run at the same time on this device, without which they would wait for each other forever.</summary>
    public static bool AllRun(GpuSession session, NumberType type)
    {
        int threads = ThreadsOn(session.Accelerator);
        return session.KernelOf(KernelFor(type), threads) is CudaKernel cuda && CudaDriver.ActiveGroups(cuda.FunctionPtr, threads) >= 1;
    }

    /// <summary>Moves the state of the first sequence on by one token.</summary>
    /// <param name="pool">The states, <see cref="ModelShape.StateLength"/> numbers each.</param>
    /// <param name="logits">[<see cref="ModelShape.LogitPitch"/>], or empty: none are wanted then.</param>
    public void Run(ArrayView<float> pool, ArrayView<float> logits)
    {
        arguments.Pool = pool;
        arguments.PoolAddress = pool.LoadEffectiveAddressAsPtr();
        arguments.Logits = logits;
        arguments.Tag = NextTag();
        session.Grouped(kernel, threads)(new KernelConfig(groups, threads), arguments);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        session.Synchronize();
        memory.Dispose();
    }

    private int NextTag()
    {
        int next = arguments.Tag + arguments.Layers + 1;
        if (next > int.MaxValue - arguments.Layers)
        {
            // Tags begin anew, and no old one may be taken for a new one.
            words.MemSetToZero(session.Stream);
            next = 1;
        }

        return next;
    }

    private PersistentArguments Describe(DeviceWeights weights, StepBuffers buffers, int sharing)
    {
        ModelShape shape = weights.Shape;
        int perUnit = weights.Type == NumberType.BFloat16 ? 8 : 4;
        int warps = threads / 32;
        int rowThreads = 1;
        while (rowThreads * PersistentKernel.ShareDepth * 4 < Most(shape.Channels / 4, sharing) * 4 && rowThreads * 2 * shape.Projected <= threads)
        {
            rowThreads *= 2;
        }

        return new()
        {
            Tokens = buffers.Tokens, Slots = buffers.Slots, Norms = MixerNorms.Of(shape.Config), StateLength = shape.StateLength,
            Groups = sharing, Layers = shape.Config.NLayer,
            InParts = Parts(8 * Most(shape.Channels / 4, sharing), warps), OutParts = Parts(Most(shape.Features, sharing), warps),
            RowThreads = rowThreads, IsWide = shape.Features / perUnit > InputUnits ? 1 : 0,
            FeaturePitch = weights.Head.Pitch / perUnit, ChannelPitch = weights.Layers[0].OutProj.Pitch / perUnit, RankPitch = weights.Layers[0].DtProj.Pitch / perUnit,
            Features = shape.Features, Channels = shape.Channels, Rank = shape.Rank, States = shape.States, Vocabulary = shape.Vocabulary,
            Width = shape.Config.DConv, Count = shape.Config.DModel, Epsilon = shape.Config.NormEpsilon,
        };
    }

    private void PlaceWeights(DeviceWeights weights)
    {
        ArrayView<Float4>[] arrays =
        [
            weights.Embedding.Data, weights.Head.Data, Units(weights.NormF),
            .. weights.Layers.SelectMany(layer => (ArrayView<Float4>[])
            [
                Units(layer.Norm), layer.InProj.Data, Units(layer.InBias), Units(layer.ConvWeight), Units(layer.ConvBias), layer.XProj.Data,
                layer.DtProj.Data, Units(layer.DtBias), Units(layer.A2), Units(layer.D), layer.OutProj.Data, Units(layer.OutBias),
            ]),
        ];
        MemoryBuffer lowest = ((IArrayView)arrays.Where(array => array.Length > 0).MinBy(Address)).Buffer;
        arguments.Origin = new(lowest, 0, lowest.LengthInBytes / 16);
        arguments.OriginAddress = Address(arguments.Origin);
        long[] places = [.. arrays.Select(array => array.Length == 0 ? -1 : (Address(array) - arguments.OriginAddress) / 16)];
        arguments.EmbeddingPlace = places[0];
        arguments.HeadPlace = places[1];
        arguments.FinalNormPlace = places[2];
        arguments.Places = memory.Take<long>(places.Length - 3);
        arguments.Places.CopyFromCPU(session.Stream, places[3..]);
    }

    private void PlaceWords(ModelShape shape, int sharing)
    {
        long start = 0;
        arguments.Residual = Take(shape.Features);
        arguments.Gated = Take(shape.Channels);
        arguments.Projected = Take(shape.Projected);
        arguments.Shares = Take((long)shape.Projected * sharing);

        TaggedWords Take(long count)
        {
            TaggedWords taken = TaggedWords.Of(words.SubView(start, count));
            start += count;
            return taken;
        }
    }

    private static int ThreadsOn(Accelerator accelerator) => Math.Min(MostThreads, accelerator.MaxNumThreadsPerGroup / 32 * 32);

    /// <summary>How many groups share channels and features: as few as have no more each than they would have if all did.</summary>
    private static int Sharing(ModelShape shape, int groups)
    {
        int most = Most(shape.Features, groups);
        return Math.Min((shape.Features + most - 1) / most, Math.Min(groups, shape.Channels / 4));
    }

    private static int Most(int things, int groups) => (things + groups - 1) / groups;

    /// <summary>Into how many parts rows are best divided, so that all warps have about the same.</summary>
    private static int Parts(int rows, int warps) => Enumerable.Range(1, 8)
        .Where(parts => parts == 1 || rows * parts <= PersistentKernel.MaxUnits)
        .MinBy(parts => ((double)Most(rows * parts, warps) / parts, parts));

    private static ArrayView<Float4> Units(ArrayView<float> view) =>
        view.Length == 0 ? ArrayView<Float4>.Empty : view.SubView(0, view.Length / 4 * 4).Cast<Float4>();

    private static long Address(ArrayView<Float4> view) => view.LoadEffectiveAddressAsPtr();
}
