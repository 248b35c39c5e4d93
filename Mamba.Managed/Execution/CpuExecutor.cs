using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Execution;

/// <summary>Runs a Mamba model on the processor's cores.</summary>
/// <remarks>
/// The weights are copied once into the order in which the kernels read them; the model and the file behind it are not needed afterwards.
/// A long input runs in chunks, so the memory of an executor does not grow with the input. A chunk has at most 512 tokens, and in a small
/// model so many fewer, down to 128 or 64 a thread, that what lies between the layers takes some sixteenth of the weights' memory.
/// </remarks>
public sealed class CpuExecutor : IMambaExecutor
{
    /// <summary>The most sequences of one <see cref="Step"/>.</summary>
    public const int MaxBatch = 512;

    // On two threads a chunk of 256 instead of 512 makes prompts of quantized models 1 to 3 % slower, on 8 and 16 threads 3 to 8 %.
    private const int ChunkStep = 64;
    private const int MostSteps = MaxBatch / ChunkStep;
    private const int WeightsOverWork = 16;

    private readonly WorkerPool pool;
    private readonly Lock gate = new();
    private readonly ForwardRegion region;
    private readonly int chunkLength;
    private readonly MambaState backup;

    /// <summary>Prepares a model.</summary>
    /// <param name="model">The weights, of any floating-point type.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public CpuExecutor(MambaLanguageModel model, int threads = 0)
        : this(model, threads, release: false)
    {
    }

    private CpuExecutor(MambaLanguageModel model, int threads, bool release)
    {
        ArgumentNullException.ThrowIfNull(model);
        Config = model.Config;
        pool = new WorkerPool(threads);
        region = new ForwardRegion(model, pool.Count, release);
        chunkLength = ChunkLength(region.StepBytes, region.RowBytes, pool.Count);
        backup = new MambaState(Config, clear: false);
    }

    /// <summary>Loads a model and prepares it, giving the file's pages back as the weights are taken over: they are never in memory twice.</summary>
    /// <param name="path">A model folder, as of <see cref="ModelSource.Open"/>, or a GGUF file.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="FileNotFoundException">There is neither, or the folder lacks a file.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or its tensors do not fit its configuration.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public static CpuExecutor Load(string path, int threads = 0)
    {
        using ModelSource source = ModelSource.Open(path);
        return TakeOver(source.Model, threads);
    }

    /// <summary>Prepares a model and gives the memory of its weights back as they are taken over: they are never in memory twice.</summary>
    /// <param name="model">The weights, of any floating-point type. Disposed, but for those in a mapped file, which are read again when they are used.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public static CpuExecutor TakeOver(MambaLanguageModel model, int threads = 0) => new(model, threads, release: true);

    /// <inheritdoc/>
    public MambaConfig Config { get; }

    /// <summary>Threads that compute, the caller included.</summary>
    public int Threads => pool.Count;

    /// <summary>Bytes that one step of one sequence reads, weights in the types in which they are held and its state: what decode asks of the memory.</summary>
    public long StepBytes => region.StepBytes + backup.ByteLength;

    /// <inheritdoc/>
    public MambaState CreateState() => new(Config);

    /// <inheritdoc/>
    public void Prefill(ReadOnlySpan<int> tokens, MambaState state, Span<float> logits, CancellationToken cancellationToken = default)
    {
        CheckTokens(tokens);
        CheckState(state);
        int vocabulary = Config.VocabSize;
        bool all = tokens.Length > 1 && logits.Length == (long)tokens.Length * vocabulary;
        Throw.UnlessLength(all ? logits.Length : vocabulary, logits.Length);
        lock (gate)
        {
            bool guarded = cancellationToken.CanBeCanceled && tokens.Length > chunkLength;
            if (guarded)
            {
                backup.CopyFrom(state);
            }

            for (int start = 0; start < tokens.Length; start += chunkLength)
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    if (guarded)
                    {
                        state.CopyFrom(backup);
                    }

                    cancellationToken.ThrowIfCancellationRequested();
                }

                int length = Math.Min(chunkLength, tokens.Length - start);
                Span<float> rows = all ? logits.Slice(start * vocabulary, length * vocabulary)
                    : start + length == tokens.Length ? logits : [];
                region.Run(pool, tokens.Slice(start, length), [length], new ReadOnlySpan<MambaState>(ref state), rows);
            }
        }
    }

    /// <inheritdoc/>
    public void Forward(ReadOnlySpan<int> tokens, ReadOnlySpan<int> lengths, ReadOnlySpan<MambaState> states, Span<float> logits)
    {
        CheckTokens(tokens);
        CheckStates(states);
        Throw.UnlessLength(states.Length, lengths.Length);
        long total = 0;
        foreach (int length in lengths)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length, nameof(lengths));
            total += length;
        }

        Throw.UnlessLength(tokens.Length, checked((int)total), nameof(lengths));
        bool all = logits.Length == (long)tokens.Length * Config.VocabSize;
        Throw.UnlessLength(all ? logits.Length : checked(states.Length * Config.VocabSize), logits.Length);
        lock (gate)
        {
            // Whole sequences join a pass while they fit; what is longer goes alone, in chunks.
            for (int first = 0, start = 0; first < states.Length;)
            {
                (int next, int end) = (first + 1, start + lengths[first]);
                while (next < states.Length && end + lengths[next] - start <= MaxBatch)
                {
                    end += lengths[next++];
                }

                (int row, int rows) = all ? (start, end - start) : (first, next - first);
                Span<float> output = logits.Slice(row * Config.VocabSize, rows * Config.VocabSize);
                if (next == first + 1)
                {
                    Prefill(tokens[start..end], states[first], output);
                }
                else
                {
                    region.Run(pool, tokens[start..end], lengths[first..next], states[first..next], output);
                }

                (first, start) = (next, end);
            }
        }
    }

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<int> tokens, ReadOnlySpan<MambaState> states, Span<float> logits)
    {
        Throw.UnlessLength(tokens.Length, states.Length);
        if (tokens.Length > MaxBatch)
        {
            Throw.Argument(Throw.Invariant($"expected at most {MaxBatch} sequences, found {tokens.Length}"), nameof(tokens));
        }

        Span<int> ones = stackalloc int[MaxBatch];
        ones.Fill(1);
        Forward(tokens, ones[..tokens.Length], states, logits);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        pool.Dispose();
        region.Dispose();
    }

    /// <summary>Takes over changed tensors of the model that this executor was made of.</summary>
    internal void Repack(MambaLanguageModel before, MambaLanguageModel after)
    {
        lock (gate)
        {
            region.Repack(before, after);
        }
    }

    private static int ChunkLength(long weights, long row, int threads)
    {
        double steps = Math.Round((double)weights / WeightsOverWork / row / ChunkStep);
        return ChunkStep * (int)Math.Clamp(steps, Math.Clamp(threads, 2, MostSteps), MostSteps);
    }

    private void CheckTokens(ReadOnlySpan<int> tokens)
    {
        if (tokens.IsEmpty)
        {
            Throw.Argument("expected at least one token, found none", nameof(tokens));
        }

        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)Config.VocabSize)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 to {Config.VocabSize - 1}, found {token}"), nameof(tokens));
            }
        }
    }

    private void CheckStates(ReadOnlySpan<MambaState> states)
    {
        for (int i = 0; i < states.Length; i++)
        {
            CheckState(states[i]);
            for (int j = 0; j < i; j++)
            {
                if (ReferenceEquals(states[i], states[j]))
                {
                    Throw.Argument(Throw.Invariant($"expected a state of its own for each sequence, found the same at {j} and {i}"), nameof(states));
                }
            }
        }
    }

    private void CheckState(MambaState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.HasSizesOf(backup))
        {
            Throw.Argument($"expected a state of {backup}, found one of {state}", nameof(state));
        }
    }
}
