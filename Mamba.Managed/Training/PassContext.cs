using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Models;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>What forward and backward share: the batch at hand, the weights, the memory, and the parts of a mixer that both compute.</summary>
internal sealed unsafe class PassContext(MambaConfig config, int workers) : IDisposable
{
    // Every loop over channels is cut alike, so that a worker finds what it wrote itself without a barrier.
    private const int ChannelGrain = SelectiveScanBackward.BlockChannels;
    private const int CacheLine = 64 / sizeof(float);

    public MambaConfig Config => config;

    public TrainingWorkspace Workspace { get; } = new(config, workers);

    public ParameterPointers Weights { get; private set; } = null!;

    public ParameterPointers? Gradients { get; private set; }

    public int Rows { get; private set; }

    public int[] Tokens { get; private set; } = [];

    public int[] Targets { get; private set; } = [];

    public TrainingSequence[] Sequences { get; private set; } = [];

    public Dropout Dropout { get; private set; }

    public float Scale { get; private set; }

    public int Width => config.DModel;

    public int Inner => config.DInner;

    public int Projected => config.DtRank + (2 * config.DState);

    /// <summary>How states and A lie in memory.</summary>
    public ChannelPanels Panels => new(config.DInner, config.DState);

    /// <summary>Takes a batch. Weights and gradients are leased until <see cref="End"/>.</summary>
    public void Begin(ParameterPointers weights, ParameterPointers? gradients, CheckedBatch batch, Dropout dropout, float scale)
    {
        (Weights, Gradients, Dropout, Scale) = (weights, gradients, dropout, scale);
        (Rows, Tokens, Targets) = (batch.Tokens.Length, batch.Tokens, batch.Targets);
        Sequences = new TrainingSequence[batch.Lengths.Length];
        int row = 0, chunks = 0;
        for (int i = 0; i < Sequences.Length; i++)
        {
            int length = batch.Lengths[i];
            Sequences[i] = new(row, length, chunks, batch.States?[i].LayerArray, batch.StateGradients?[i].LayerArray);
            row += length;
            chunks += (length - 1) / SelectiveScanBackward.ChunkLength;
        }

        Workspace.Reserve(Rows, chunks, batch.States is null ? 0 : Sequences.Length);
    }

    /// <summary>Lets go of the batch, the model and the gradients.</summary>
    public void End() => (Weights, Gradients, Sequences) = (null!, null, []);

    /// <summary>This worker's channels.</summary>
    public (int Start, int End) ChannelsOf(Worker worker) => worker.Range(Inner, ChannelGrain);

    /// <summary>This worker's features, in whole cache lines: sums of neighbors that share a line would wait for each other at every row.</summary>
    public (int Start, int End) FeaturesOf(Worker worker) => worker.Range(Width, CacheLine);

    public Span<float> Row(float* rows, int row) => new(rows + ((long)row * Width), Width);

    /// <summary>Norm of the input of a block, for this worker's rows.</summary>
    public void Normalize(Worker worker, float* x, float* weight)
    {
        (int start, int end) = worker.Range(Rows);
        for (int row = start; row < end; row++)
        {
            RmsNormalization.Forward(Row(x, row), new ReadOnlySpan<float>(weight, Width), config.NormEpsilon, Row(Workspace.Normal, row));
        }
    }

    /// <summary>A = -exp(A_log), times log2(e), and the filters, with neighboring channels next to each other: this worker's channels.</summary>
    public void Arrange(Worker worker, BlockPointers block)
    {
        (int start, int end) = ChannelsOf(worker);
        SelectiveScan.Decays(block.ALog, Workspace.Decay, Inner, config.DState, start, end);
        for (int c = start; c < end; c++)
        {
            for (int j = 0; j < config.DConv; j++)
            {
                Workspace.ConvWeight[((long)j * Inner) + c] = block.ConvWeight[((long)c * config.DConv) + j];
            }
        }
    }

    /// <summary>Convolution of this worker's channels; with <paramref name="keep"/> windows move on and those before are kept.</summary>
    public void Convolve(Worker worker, BlockPointers block, int layer, bool keep)
    {
        (int start, int end) = ChannelsOf(worker);
        for (int i = 0; i < Sequences.Length; i++)
        {
            TrainingSequence sequence = Sequences[i];
            float* window = Workspace.Window;
            if (keep && sequence.States is not null)
            {
                window = sequence.Window(layer);
                CopyChannels(window, Workspace.Windows(layer) + ((long)i * config.DConv * Inner), config.DConv, start, end);
            }
            else
            {
                CopyChannels(InitialWindow(layer, i), window, config.DConv, start, end);
            }

            float* x = Workspace.Gated(layer) + ((long)sequence.Start * 2 * Inner);
            float* y = Workspace.Channels + ((long)sequence.Start * Inner);
            CausalConvolution.Forward(
                x, 2 * Inner, Workspace.ConvWeight, block.ConvBias, window, y, sequence.Length, Inner, config.DConv, silu: true, start, end);
        }
    }

    /// <summary>[d_conv, d_inner], or null where the sequence begins at zero.</summary>
    public float* InitialWindow(int layer, int sequence) =>
        Sequences[sequence].States is null ? null : Workspace.Windows(layer) + ((long)sequence * config.DConv * Inner);

    /// <summary>dt, B and C of this worker's rows, normalized each by its own RMS where the model asks for it.</summary>
    /// <returns>Where they are; a barrier must follow where they were normalized.</returns>
    public float* Select(Worker worker, int layer)
    {
        if (config.MixerNormEpsilon is not float epsilon)
        {
            return Workspace.Selected(layer);
        }

        (int start, int end) = worker.Range(Rows);
        for (int row = start; row < end; row++)
        {
            ReadOnlySpan<float> from = new(Workspace.Selected(layer) + ((long)row * Projected), Projected);
            Span<float> to = new(Workspace.Selection + ((long)row * Projected), Projected);
            RmsNormalization.Forward(from[..config.DtRank], [], epsilon, to[..config.DtRank]);
            RmsNormalization.Forward(from.Slice(config.DtRank, config.DState), [], epsilon, to.Slice(config.DtRank, config.DState));
            RmsNormalization.Forward(from[^config.DState..], [], epsilon, to[^config.DState..]);
        }

        return Workspace.Selection;
    }

    /// <summary>dt_proj, before bias and softplus: this worker's share.</summary>
    public void ProjectDt(Worker worker, BlockPointers block, float* selection) => GeneralGemm.Run(
        worker,
        Workspace.Product,
        new MatrixView(selection, Rows, config.DtRank, Projected),
        new MatrixView(block.DtWeight, Inner, config.DtRank).Transposed,
        new MatrixView(Workspace.Dt, Rows, Inner));

    /// <summary>Copies the channels [start, end) of some rows; a null source stands for zeros.</summary>
    public void CopyChannels(float* from, float* to, int rows, int start, int end)
    {
        for (int row = 0; row < rows; row++)
        {
            Copy(from, to, ((long)row * Inner) + start, end - start);
        }
    }

    /// <summary>Copies the states of the channels [start, end) of a worker; a null source stands for zeros.</summary>
    public void CopyStates(float* from, float* to, int start, int end) => Copy(from, to, (long)start * config.DState, (end - start) * config.DState);

    /// <inheritdoc/>
    public void Dispose() => Workspace.Dispose();

    private static void Copy(float* from, float* to, long at, int count)
    {
        if (from is null)
        {
            new Span<float>(to + at, count).Clear();
        }
        else
        {
            new ReadOnlySpan<float>(from + at, count).CopyTo(new Span<float>(to + at, count));
        }
    }
}
