using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Execution;

/// <summary>Rows of one sequence within a pass, and what its layers remember.</summary>
/// <param name="Start">The first row.</param>
/// <param name="Length">How many rows.</param>
/// <param name="Layers">The state of each layer.</param>
internal readonly record struct Sequence(int Start, int Length, MixerState[] Layers);

/// <summary>Runs mixers over the rows of several sequences, as the workers of a pool do it together; holds the memory in between.</summary>
/// <remarks>
/// Rows of all sequences stand one below the other; only convolution and scan know where a sequence begins. Each phase is shared out by
/// rows, outputs or channels, with a barrier before the next; after the last the caller sets the barrier.
/// </remarks>
internal sealed unsafe class MixerPass(int workers) : IDisposable
{
    private readonly Activations gated = new(0);
    private readonly Activations channels = new(1);
    private readonly Activations selected = new(3);

    /// <summary>Room for products, also for others of the same workers.</summary>
    public GemmScratch Scratch { get; } = MatrixProduct.CreateScratch(workers);

    /// <summary>Makes room, and forgets a pass that failed; called before the workers start. Nothing is allocated once the largest pass has been seen.</summary>
    public void Reserve(PackedMixer mixer, int rows)
    {
        MatrixProduct.Reserve(Scratch, rows, MostInputs(mixer));

        // Offsets within what is reserved need no check later.
        gated.Reserve(checked(rows * GatedPitch(mixer.InProj)));
        channels.Reserve(checked(rows * mixer.DInner));
        selected.Reserve(checked(rows * mixer.XProj.Outputs));
    }

    /// <summary>Bytes that <see cref="Reserve"/> takes for each row.</summary>
    public static long RowBytes(PackedMixer mixer) =>
        sizeof(float) * ((long)MostInputs(mixer) + GatedPitch(mixer.InProj) + mixer.DInner + mixer.XProj.Outputs);

    /// <summary>Computes one mixer.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="mixer">The weights.</param>
    /// <param name="x">[rows, d_model]; complete, as after a barrier.</param>
    /// <param name="y">[rows, d_model]; may be <paramref name="x"/> itself where all workers have the same.</param>
    /// <param name="rows">Rows of all sequences.</param>
    /// <param name="sequences">Which rows belong together.</param>
    /// <param name="layer">The index of the mixer's state in each sequence.</param>
    public void Forward(
        Worker worker, PackedMixer mixer, ReadOnlySpan<float> x, Span<float> y, int rows, ReadOnlySpan<Sequence> sequences, int layer)
    {
        Advance(worker, mixer, x, rows, sequences, layer, isGated: true);
        worker.Barrier();
        MatrixProduct.Forward(worker, Scratch, channels.Slice(0, rows * mixer.DInner), mixer.DInner, mixer.OutProj, mixer.OutBias, y, rows);
    }

    /// <summary>Moves the states of one mixer on, without its output: neither gate nor projection out are computed.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="mixer">The weights.</param>
    /// <param name="x">[rows, d_model]; complete, as after a barrier.</param>
    /// <param name="rows">Rows from which sequences take theirs.</param>
    /// <param name="sequences">Which rows belong together.</param>
    /// <param name="layer">The index of the mixer's state in each sequence.</param>
    public void Advance(Worker worker, PackedMixer mixer, ReadOnlySpan<float> x, int rows, ReadOnlySpan<Sequence> sequences, int layer) =>
        Advance(worker, mixer, x, rows, sequences, layer, isGated: false);

    /// <summary>Computes one mixer for one sequence, on the calling thread.</summary>
    /// <param name="mixer">The weights.</param>
    /// <param name="x">[rows, d_model]</param>
    /// <param name="state">Moved on by the rows.</param>
    /// <param name="y">[rows, d_model]; may be <paramref name="x"/> itself.</param>
    public static void Forward(PackedMixer mixer, ReadOnlySpan<float> x, MixerState state, Span<float> y)
    {
        int rows = x.Length / mixer.DModel;
        using TensorBuffer.Lease lease = state.Acquire();
        using MixerPass pass = new(1);
        pass.Reserve(mixer, rows);
        pass.Forward(Worker.Alone, mixer, x, y, rows, [new Sequence(0, rows, [state])], 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Scratch.Dispose();
        gated.Dispose();
        channels.Dispose();
        selected.Dispose();
    }

    private static int MostInputs(PackedMixer mixer) => Math.Max(Math.Max(mixer.DModel, mixer.DInner), mixer.DtRank);

    // A line more than a row holds: rows would else be a multiple of 4096 bytes apart and share the same few sets of a cache.
    private static int GatedPitch(PackedMatrix inProj) => inProj.Outputs + (Prefetch.LineBytes / sizeof(float));

    private void Advance(
        Worker worker, PackedMixer mixer, ReadOnlySpan<float> x, int rows, ReadOnlySpan<Sequence> sequences, int layer, bool isGated)
    {
        int inner = mixer.DInner, projected = mixer.XProj.Outputs;
        PackedMatrix inProj = isGated ? mixer.InProj : mixer.ValueProj;
        float[] inBias = isGated ? mixer.InBias : mixer.ValueBias;
        int pitch = GatedPitch(inProj), last = (rows - 1) * pitch;
        MatrixProduct.Forward(worker, Scratch, x, mixer.DModel, inProj, inBias, gated.Slice(0, last + inProj.Outputs), rows, pitch);
        worker.Barrier();
        Convolve(worker, mixer, sequences, layer, pitch);
        worker.Barrier();
        MatrixProduct.Forward(worker, Scratch, channels.Slice(0, rows * inner), inner, mixer.XProj, [], selected.Slice(0, rows * projected), rows);
        if (sequences[0].Length == 1)
        {
            Fetch(worker, mixer, sequences[0].Layers[layer].SsmState);
            Fetch(worker, mixer, mixer.Decay);
        }

        worker.Barrier();
        if (mixer.NormEpsilon is float epsilon)
        {
            NormalizeSelection(worker, mixer, rows, epsilon);
            worker.Barrier();
        }

        // In place of the convolution's inputs, which nobody reads any more.
        MatrixProduct.Forward(
            worker, Scratch, selected.Slice(0, rows * projected), projected, mixer.DtProj, [], gated.Slice(0, last + inner), rows, pitch, fixedShares: true);
        if (rows > 1)
        {
            // Of a single row a worker has computed the steps of just those channels that it scans.
            worker.Barrier();
        }

        Scan(worker, mixer, sequences, layer, pitch, isGated);
    }

    // Falcon-Mamba: dt, B and C each by their own RMS.
    private void NormalizeSelection(Worker worker, PackedMixer mixer, int rows, float epsilon)
    {
        int projected = mixer.XProj.Outputs;
        (int start, int end) = worker.Range(rows);
        for (int row = start; row < end; row++)
        {
            Span<float> all = selected.Slice(row * projected, projected);
            Normalize(all[..mixer.DtRank], epsilon);
            Normalize(all.Slice(mixer.DtRank, mixer.DState), epsilon);
            Normalize(all[^mixer.DState..], epsilon);
        }

        static void Normalize(Span<float> part, float epsilon) => RmsNormalization.Forward(part, [], epsilon, part);
    }

    private void Convolve(Worker worker, PackedMixer mixer, ReadOnlySpan<Sequence> sequences, int layer, int xPitch)
    {
        int inner = mixer.DInner;
        (int start, int end) = worker.Range(inner, PackedMatrix.PanelWidth);
        float* x = gated.Start, y = channels.Start;
        fixed (float* weight = mixer.ConvWeight, bias = mixer.ConvBias)
        {
            for (int i = 0; i < sequences.Length; i++)
            {
                Sequence sequence = sequences[i];
                Span<float> following = i + 1 < sequences.Length ? sequences[i + 1].Layers[layer].ConvState : [];
                long row = sequence.Start;
                fixed (float* window = sequence.Layers[layer].ConvState, next = following)
                {
                    CausalConvolution.Forward(
                        x + (row * xPitch), xPitch, weight, bias, window, y + (row * inner), sequence.Length, inner, mixer.DConv, silu: true, start, end, next);
                }
            }
        }
    }

    private void Scan(Worker worker, PackedMixer mixer, ReadOnlySpan<Sequence> sequences, int layer, int pitch, bool isGated)
    {
        int inner = mixer.DInner, projected = mixer.XProj.Outputs;
        (int start, int end) = worker.Range(inner, PackedMatrix.PanelWidth);
        float* u = channels.Start, select = selected.Start, dt = gated.Start, z = dt + inner;
        fixed (float* decay = mixer.Decay, fastest = mixer.MaxDecay, d = mixer.D, bias = mixer.DtBias)
        {
            for (int i = 0; i < sequences.Length; i++)
            {
                Sequence sequence = sequences[i];
                Span<float> following = i + 1 < sequences.Length ? sequences[i + 1].Layers[layer].SsmState : [];
                long row = sequence.Start;
                fixed (float* state = sequence.Layers[layer].SsmState, next = following)
                {
                    SelectiveScan scan = new()
                    {
                        U = u + (row * inner),
                        Dt = dt + (row * pitch),
                        DtPitch = pitch,
                        Bias = bias,
                        Softplus = true,
                        Decay = decay,
                        MaxDecay = fastest,
                        B = select + (row * projected) + mixer.DtRank,
                        C = select + (row * projected) + mixer.DtRank + mixer.DState,
                        Pitch = projected,
                        D = d,
                        Z = isGated ? z + (row * pitch) : null,
                        ZPitch = pitch,
                        State = state,
                        Next = next,
                        Y = isGated ? u + (row * inner) : null,
                        Length = sequence.Length,
                        Channels = inner,
                        States = mixer.DState,
                    };
                    scan.Forward(start, end);
                }
            }
        }
    }

    // A single step reads states and decays once: they are asked for while others still compute.
    private static void Fetch(Worker worker, PackedMixer mixer, ReadOnlySpan<float> values)
    {
        (int start, int end) = worker.Range(mixer.DInner, PackedMatrix.PanelWidth);
        fixed (float* first = values)
        {
            Prefetch.Lines(first + ((long)start * mixer.DState), (end - start) * mixer.DState * sizeof(float));
        }
    }
}
