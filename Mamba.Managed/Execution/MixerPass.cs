using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Execution;

/// <summary>The rows of one sequence within a pass, and the states of its layers.</summary>
/// <param name="Start">The first row.</param>
/// <param name="Length">How many rows.</param>
/// <param name="Layers">The state of each layer.</param>
internal readonly record struct Sequence(int Start, int Length, MixerState[] Layers);

/// <summary>Runs mixers over the rows of several sequences on all workers of a pool; owns the activations.</summary>
/// <remarks>
/// The rows of all sequences form one matrix; only convolution and scan distinguish the sequences. Each phase is divided among the workers by
/// rows, outputs or channels, with a barrier before the next phase. The barrier after the last phase is the caller's.
/// </remarks>
internal sealed unsafe class MixerPass(int workers) : IDisposable
{
    private readonly Activations gated = new(0);
    private readonly Activations channels = new(1);
    private readonly Activations dtBC = new(3);

    /// <summary>Scratch memory of the products; the same workers may use it for other products too.</summary>
    public GemmScratch Scratch { get; } = MatrixProduct.CreateScratch(workers);

    /// <summary>Makes room and resets what a failed pass left; called before the workers start. Allocates only when a pass is larger than all before.</summary>
    public void Reserve(PackedMixer mixer, int rows)
    {
        MatrixProduct.Reserve(Scratch, rows, MostInputs(mixer));

        // Checked here once: offsets within the reserved memory cannot overflow later.
        gated.Reserve(checked(rows * GatedPitch(mixer.InProj)));
        channels.Reserve(checked(rows * mixer.DInner));
        dtBC.Reserve(checked(rows * mixer.XProj.Outputs));
    }

    /// <summary>Bytes that <see cref="Reserve"/> allocates for each row.</summary>
    public static long RowBytes(PackedMixer mixer) =>
        sizeof(float) * ((long)MostInputs(mixer) + GatedPitch(mixer.InProj) + mixer.DInner + mixer.XProj.Outputs);

    /// <summary>Computes one mixer.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="mixer">The weights.</param>
    /// <param name="x">[rows, d_model]; complete: other workers' rows were awaited by a barrier.</param>
    /// <param name="y">[rows, d_model]; may be <paramref name="x"/> itself if all workers pass the same memory.</param>
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

    /// <summary>Advances the states of one mixer without its output: gate and output projection are not computed.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="mixer">The weights.</param>
    /// <param name="x">[rows, d_model]; complete: other workers' rows were awaited by a barrier.</param>
    /// <param name="rows">Rows of <paramref name="x"/>, of which the sequences may cover only some.</param>
    /// <param name="sequences">Which rows belong together.</param>
    /// <param name="layer">The index of the mixer's state in each sequence.</param>
    public void Advance(Worker worker, PackedMixer mixer, ReadOnlySpan<float> x, int rows, ReadOnlySpan<Sequence> sequences, int layer) =>
        Advance(worker, mixer, x, rows, sequences, layer, isGated: false);

    /// <summary>Computes one mixer for one sequence, on the calling thread.</summary>
    /// <param name="mixer">The weights.</param>
    /// <param name="x">[rows, d_model]</param>
    /// <param name="state">The sequence so far; advanced by the rows.</param>
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
        dtBC.Dispose();
    }

    private static int MostInputs(PackedMixer mixer) => Math.Max(Math.Max(mixer.DModel, mixer.DInner), mixer.DtRank);

    // One cache line of padding: otherwise rows would often lie a multiple of 4096 bytes apart and compete for the same cache sets.
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
        MatrixProduct.Forward(worker, Scratch, channels.Slice(0, rows * inner), inner, mixer.XProj, [], dtBC.Slice(0, rows * projected), rows);
        if (sequences[0].Length == 1)
        {
            Fetch(worker, mixer, sequences[0].Layers[layer].SsmState);
            Fetch(worker, mixer, mixer.Decay);
        }

        worker.Barrier();
        if (mixer.NormEpsilon is float epsilon)
        {
            NormalizeDtBC(worker, mixer, rows, epsilon);
            worker.Barrier();
        }

        // Delta overwrites the convolution's inputs, which are not needed any more.
        MatrixProduct.Forward(
            worker, Scratch, dtBC.Slice(0, rows * projected), projected, mixer.DtProj, [], gated.Slice(0, last + inner), rows, pitch, fixedShares: true);
        if (rows > 1)
        {
            // For a single row each worker has computed Delta of exactly the channels that it scans (fixed shares), so no barrier is needed.
            worker.Barrier();
        }

        Scan(worker, mixer, sequences, layer, pitch, isGated);
    }

    // Falcon-Mamba: dt, B and C each by their own RMS.
    private void NormalizeDtBC(Worker worker, PackedMixer mixer, int rows, float epsilon)
    {
        int projected = mixer.XProj.Outputs;
        (int start, int end) = worker.Range(rows);
        for (int row = start; row < end; row++)
        {
            Span<float> all = dtBC.Slice(row * projected, projected);
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
        float* u = channels.Start, select = dtBC.Start, dt = gated.Start, z = dt + inner;
        fixed (float* decay = mixer.Decay, maxDecay = mixer.MaxDecay, d = mixer.D, bias = mixer.DtBias)
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
                        MaxDecay = maxDecay,
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

    // A decode step reads states and decays only once: a software prefetch overlaps with the product that other workers are still computing.
    private static void Fetch(Worker worker, PackedMixer mixer, ReadOnlySpan<float> values)
    {
        (int start, int end) = worker.Range(mixer.DInner, PackedMatrix.PanelWidth);
        fixed (float* first = values)
        {
            Prefetch.Lines(first + ((long)start * mixer.DState), (end - start) * mixer.DState * sizeof(float));
        }
    }
}
