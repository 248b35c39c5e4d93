using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Models;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Execution;

/// <summary>Runs a Mamba model on the processor's cores.</summary>
/// <remarks>
/// The weights are packed once for the kernels; the model and its file are not needed afterwards. A pass has at most 512 tokens, and long prompts
/// run in chunks, so the memory of an executor does not grow with the input. Small models use fewer rows, down to 128 or 64 a thread, so that
/// activations take at most about 1/16 of the weights' memory.
/// </remarks>
public sealed class CpuExecutor : IMambaExecutor
{
    /// <summary>The most tokens of one pass, over all its sequences: <see cref="MaxRows"/>.</summary>
    public const int MaxBatch = 512;

    

    // On two threads a chunk of 256 instead of 512 makes prompts of quantized models 1 to 3 % slower, on 8 and 16 threads 3 to 8 %.
    private const int ChunkStep = 64;
    private const int MostSteps = MaxBatch / ChunkStep;
    private const int WeightsOverWork = 16;

    private readonly WorkerPool pool;
    private readonly Lock gate = new();
    private readonly ForwardRegion region;
    private readonly PassBatch batch;
    private readonly StateLayout layout;
    private CpuState? spare;
    private bool disposed;

    /// <summary>Prepares a model.</summary>
    /// <param name="model">The weights, of any floating-point type.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentException">The model's tensors do not fit its configuration.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public CpuExecutor(MambaLanguageModel model, int threads = 0)
        : this(model, threads, release: false)
    {
    }

    // Threads are started last, so that an earlier failure leaves none running.
    private CpuExecutor(MambaLanguageModel model, int threads, bool release)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, WorkerPool.MostWorkers);
        threads = threads == 0 ? Environment.ProcessorCount : threads;
        model.Validate();
        Config = model.Config;
        layout = StateLayout.Of(Config);
        batch = new PassBatch(Config, layout, MaxBatch);
        Fingerprint = ModelFingerprint.Of(model);
        region = new ForwardRegion(model, threads, release);
        try
        {
            PromptChunk = ChunkLength(region.StepBytes, region.RowBytes, threads);
            pool = new WorkerPool(threads);
        }
        catch
        {
            region.Dispose();
            throw;
        }
    }

    /// <summary>Loads a model and prepares it. The pages of the file are dropped while its weights are packed, so that they are never in memory twice.</summary>
    /// <param name="path">A model folder, see <see cref="ModelSource.Open"/>, or a GGUF file.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="FileNotFoundException">The path does not exist, or a file is missing in the folder.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or its tensors do not fit its configuration.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public static CpuExecutor Load(string path, int threads = 0)
    {
        using ModelSource source = ModelSource.Open(path);
        return TakeOver(source.Model, threads);
    }

    /// <summary>Prepares a model and frees its weights while they are packed, so that they are never in memory twice.</summary>
    /// <param name="model">
    /// The weights, of any floating-point type. They are disposed, except those in a mapped file, whose pages are dropped and read again when used.
    /// </param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public static CpuExecutor TakeOver(MambaLanguageModel model, int threads = 0) => new(model, threads, release: true);

    /// <inheritdoc/>
    public MambaConfig Config { get; }

    /// <inheritdoc/>
    public ModelFingerprint Fingerprint { get; private set; }

    /// <inheritdoc/>
    public int MaxRows => MaxBatch;

    /// <inheritdoc/>
    public int PromptChunk { get; }

    /// <summary>The vector instructions that this process computes with: <c>avx512</c>, <c>avx2</c>, <c>vector128</c> or <c>scalar</c>. All give the same bits.</summary>
    /// <remarks>
    /// They are the widest that processor and runtime have, or those that the environment variable <c>MAMBA_INSTRUCTION_SET</c> names. Native AOT has
    /// those that <c>IlcInstructionSet</c> names, which the package sets to <c>x86-64-v3</c> (AVX2) on x64 unless the application does.
    /// </remarks>
    public static string InstructionSet => InstructionSets.CurrentName;

    /// <summary>Threads that compute, the caller included.</summary>
    public int Threads => pool.Count;

    /// <summary>Bytes that one decode step of one sequence reads: the packed weights and the state. Memory bandwidth over this bounds the speed of decode.</summary>
    public long StepBytes => region.StepBytes + (layout.Length(0) * sizeof(float));

    /// <inheritdoc cref="IMambaExecutor.CreateState"/>
    public CpuState CreateState()
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref disposed), this);
        return new(Config, layout);
    }

    /// <inheritdoc/>
    SequenceState IMambaExecutor.CreateState() => CreateState();

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits) => Run(tokens, batch, logits, [], isLogitsOnly: true);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits, Span<float> hidden) =>
        Run(tokens, batch, logits, hidden, isLogitsOnly: hidden.IsEmpty);

    private void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits, Span<float> hidden, bool isLogitsOnly)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            this.batch.Take(tokens, batch, logits.Length, hidden.Length, isLogitsOnly);
            try
            {
                region.Reserve(this.batch.Rows);
                Compute(logits, hidden);
                this.batch.Advance();
            }
            finally
            {
                this.batch.Release();
            }
        }
    }

    /// <summary>Waits for the running pass and frees threads, weights and activations.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (!disposed)
            {
                disposed = true;
                pool.Dispose();
                region.Dispose();
                Interlocked.Exchange(ref spare, null)?.Dispose();
            }
        }
    }

    /// <summary>A state for a temporary copy during one call; its contents are arbitrary.</summary>
    internal CpuState Borrow() => Interlocked.Exchange(ref spare, null) ?? CreateState();

    /// <summary>Returns a borrowed state. One is kept for reuse, so that prompts do not allocate and free memory each time, which would fragment it.</summary>
    internal void Return(CpuState state)
    {
        if (Interlocked.CompareExchange(ref spare, state, null) is not null)
        {
            state.Dispose();
        }

        if (Volatile.Read(ref disposed))
        {
            Interlocked.Exchange(ref spare, null)?.Dispose();
        }
    }

    /// <summary>Repacks the tensors that changed since the executor was made.</summary>
    internal void Repack(MambaLanguageModel before, MambaLanguageModel after)
    {
        after.Validate();
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            region.Repack(before, after);
            Fingerprint = ModelFingerprint.Of(after);
        }
    }

    private static int ChunkLength(long weights, long row, int threads)
    {
        double steps = Math.Round((double)weights / WeightsOverWork / row / ChunkStep);
        return ChunkStep * (int)Math.Clamp(steps, Math.Clamp(threads, 2, MostSteps), MostSteps);
    }

    private void Compute(Span<float> logits, Span<float> hidden)
    {
        try
        {
            region.Run(pool, batch, logits, hidden);
        }
        catch
        {
            batch.Tear();
            throw;
        }
    }
}
