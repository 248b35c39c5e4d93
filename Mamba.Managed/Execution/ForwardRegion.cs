using Mamba.Managed.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>One pass of tokens through all layers, as the workers of a pool run it together.</summary>
/// <remarks>
/// Rows of all sequences stand one below the other; only convolution and scan know where a sequence begins. A layer takes seven phases,
/// each shared out by rows, outputs or channels, with a barrier between them.
/// </remarks>
internal sealed unsafe class ForwardRegion(
    MambaConfig config, PackedMatrix embedding, PackedLayer[] layers, float[] finalNorm, PackedMatrix head) : IRegion
{
    private readonly int projected = config.DtRank + (2 * config.DState);
    private int[] tokens = [];
    private MambaState[] states = [];
    private float[] residual = [];
    private float[] normal = [];
    private float[] gated = [];
    private float[] channels = [];
    private float[] selected = [];
    private float[] steps = [];
    private int sequences;
    private int length;
    private int logitRows;
    private float* logits;

    private int Rows => sequences * length;

    /// <summary>Feeds <paramref name="length"/> tokens to each of some sequences.</summary>
    /// <param name="pool">Who computes.</param>
    /// <param name="tokens">[sequences, length]</param>
    /// <param name="states">[sequences]</param>
    /// <param name="length">Tokens of one sequence.</param>
    /// <param name="logits">[sequences x length, vocab_size], or of the last row only, or empty.</param>
    public void Run(WorkerPool pool, ReadOnlySpan<int> tokens, ReadOnlySpan<MambaState> states, int length, Span<float> logits)
    {
        sequences = states.Length;
        this.length = length;
        logitRows = logits.Length / config.VocabSize;
        Reserve();
        tokens.CopyTo(this.tokens);
        states.CopyTo(this.states);
        fixed (float* output = logits)
        {
            this.logits = output;
            pool.Run(this);
        }

        foreach (MambaState state in states)
        {
            state.Position += length;
        }

        Array.Clear(this.states, 0, sequences);
    }

    /// <inheritdoc/>
    public void Execute(Worker worker)
    {
        int width = config.DModel;
        (int start, int end) = worker.Range(Rows);
        for (int row = start; row < end; row++)
        {
            embedding.CopyRow(tokens[row], residual.AsSpan(row * width, width));
        }

        for (int i = 0; i < layers.Length; i++)
        {
            Layer(worker, layers[i], i);
        }

        if (logitRows > 0)
        {
            int first = Rows - logitRows;
            Normalise(worker, finalNorm, config.NormEpsilon);
            worker.Barrier();
            Span<float> output = new(logits, logitRows * config.VocabSize);
            MatrixProduct.Forward(worker, normal.AsSpan(first * width), width, head, [], output, logitRows);
        }
    }

    private void Layer(Worker worker, PackedLayer layer, int index)
    {
        int inner = config.DInner, width = config.DModel, rank = config.DtRank;
        Normalise(worker, layer.Norm, layer.Epsilon);
        worker.Barrier();
        MatrixProduct.Forward(worker, normal, width, layer.InProj, layer.InBias, gated.AsSpan(0, Rows * 2 * inner), Rows);
        worker.Barrier();
        Convolve(worker, layer, index);
        worker.Barrier();
        MatrixProduct.Forward(worker, channels, inner, layer.XProj, [], selected.AsSpan(0, Rows * projected), Rows);
        worker.Barrier();
        if (layer.MixerNormEpsilon is float epsilon)
        {
            NormaliseSelection(worker, epsilon);
            worker.Barrier();
        }

        MatrixProduct.Forward(worker, selected, projected, layer.DtProj, [], steps.AsSpan(0, Rows * inner), Rows);
        worker.Barrier();
        Scan(worker, layer, index, rank);
        worker.Barrier();
        MatrixProduct.Forward(worker, channels, inner, layer.OutProj, layer.OutBias, normal.AsSpan(0, Rows * width), Rows);
        worker.Barrier();
        (int start, int end) = worker.Range(Rows);
        System.Numerics.Tensors.TensorPrimitives.Add(
            residual.AsSpan(start * width, (end - start) * width),
            normal.AsSpan(start * width, (end - start) * width),
            residual.AsSpan(start * width, (end - start) * width));
    }

    private void Normalise(Worker worker, float[] weight, float epsilon)
    {
        int width = config.DModel;
        (int start, int end) = worker.Range(Rows);
        for (int row = start; row < end; row++)
        {
            RmsNormalisation.Forward(residual.AsSpan(row * width, width), weight, epsilon, normal.AsSpan(row * width, width));
        }
    }

    private void NormaliseSelection(Worker worker, float epsilon)
    {
        (int start, int end) = worker.Range(Rows);
        for (int row = start; row < end; row++)
        {
            Span<float> all = selected.AsSpan(row * projected, projected);
            Part(all[..config.DtRank]);
            Part(all.Slice(config.DtRank, config.DState));
            Part(all[^config.DState..]);
        }

        void Part(Span<float> part) => RmsNormalisation.Forward(part, [], epsilon, part);
    }

    private void Convolve(Worker worker, PackedLayer layer, int index)
    {
        int inner = config.DInner;
        (int start, int end) = worker.Range(inner, PackedMatrix.PanelWidth);
        fixed (float* x = gated, weight = layer.ConvWeight, bias = layer.ConvBias, y = channels)
        {
            for (int s = 0; s < sequences; s++)
            {
                long row = (long)s * length;
                fixed (float* window = states[s].Window(index))
                {
                    CausalConvolution.Forward(
                        x + (row * 2 * inner), 2 * inner, weight, bias, window, y + (row * inner), length, inner, config.DConv, start, end);
                }
            }
        }
    }

    private void Scan(Worker worker, PackedLayer layer, int index, int rank)
    {
        int inner = config.DInner;
        (int start, int end) = worker.Range(inner, PackedMatrix.PanelWidth);
        fixed (float* u = channels, dt = steps, select = selected, z = gated, decay = layer.Decay, d = layer.D, bias = layer.DtBias)
        {
            for (int s = 0; s < sequences; s++)
            {
                long row = (long)s * length;
                fixed (float* state = states[s].Scan(index))
                {
                    SelectiveScan scan = new()
                    {
                        U = u + (row * inner),
                        Dt = dt + (row * inner),
                        Bias = bias,
                        Softplus = true,
                        Decay = decay,
                        B = select + (row * projected) + rank,
                        C = select + (row * projected) + rank + config.DState,
                        Pitch = projected,
                        D = d,
                        Z = z + (row * 2 * inner) + inner,
                        ZPitch = 2 * inner,
                        State = state,
                        Y = u + (row * inner),
                        Length = length,
                        Channels = inner,
                        States = config.DState,
                    };
                    scan.Forward(start, end);
                }
            }
        }
    }

    // Buffers grow to the largest pass seen, at most one chunk, and are then reused: nothing is allocated per token.
    private void Reserve()
    {
        Grow(ref tokens, Rows);
        Grow(ref states, sequences);
        Grow(ref residual, Rows * config.DModel);
        Grow(ref normal, Rows * config.DModel);
        Grow(ref gated, Rows * 2 * config.DInner);
        Grow(ref channels, Rows * config.DInner);
        Grow(ref selected, Rows * projected);
        Grow(ref steps, Rows * config.DInner);
    }

    private static void Grow<T>(ref T[] array, int count)
    {
        if (array.Length < count)
        {
            array = GC.AllocateUninitializedArray<T>(count, pinned: !System.Runtime.CompilerServices.RuntimeHelpers.IsReferenceOrContainsReferences<T>());
        }
    }
}
