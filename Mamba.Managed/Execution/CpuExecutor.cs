using Mamba.Managed.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Execution;

/// <summary>Runs a Mamba model on the processor's cores.</summary>
/// <remarks>
/// The weights are copied once into the order in which the kernels read them; the model and the file behind it are not needed afterwards.
/// A long input runs in chunks of at most 512 tokens, so the memory of an executor does not grow with the input.
/// </remarks>
public sealed class CpuExecutor : IMambaExecutor
{
    private const int ChunkLength = 512;

    private readonly PackedLayer[] layers;
    private readonly PackedMatrix embedding;
    private readonly PackedMatrix head;
    private readonly float[] norm;
    private readonly WorkerPool pool;
    private readonly Lock gate = new();
    private readonly ForwardRegion region;
    private readonly MambaState backup;

    /// <summary>Prepares a model.</summary>
    /// <param name="model">The weights, of any floating-point type.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public CpuExecutor(MambaLanguageModel model, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        Config = model.Config;
        pool = new WorkerPool(threads);
        embedding = new PackedMatrix(model.Embeddings.Weight);
        head = model.Head is null ? embedding : new PackedMatrix(model.Head.Weight);
        layers = [.. model.Layers.Select(layer => new PackedLayer(layer))];
        norm = model.NormF.Weight.ToFloat32().Floats.ToArray();
        region = new ForwardRegion(Config, embedding, layers, norm, head);
        backup = new MambaState(Config);
    }

    /// <inheritdoc/>
    public MambaConfig Config { get; }

    /// <summary>Threads that compute, the caller included.</summary>
    public int Threads => pool.Count;

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
            bool guarded = cancellationToken.CanBeCanceled && tokens.Length > ChunkLength;
            if (guarded)
            {
                backup.CopyFrom(state);
            }

            for (int start = 0; start < tokens.Length; start += ChunkLength)
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    if (guarded)
                    {
                        state.CopyFrom(backup);
                    }

                    cancellationToken.ThrowIfCancellationRequested();
                }

                int length = Math.Min(ChunkLength, tokens.Length - start);
                Span<float> rows = all ? logits.Slice(start * vocabulary, length * vocabulary)
                    : start + length == tokens.Length ? logits : [];
                region.Run(pool, tokens.Slice(start, length), new ReadOnlySpan<MambaState>(ref state), length, rows);
            }
        }
    }

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<int> tokens, ReadOnlySpan<MambaState> states, Span<float> logits)
    {
        CheckTokens(tokens);
        Throw.UnlessLength(tokens.Length, states.Length);
        Throw.UnlessLength(checked(tokens.Length * Config.VocabSize), logits.Length);
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

        lock (gate)
        {
            for (int start = 0; start < tokens.Length; start += ChunkLength)
            {
                int count = Math.Min(ChunkLength, tokens.Length - start);
                region.Run(
                    pool,
                    tokens.Slice(start, count),
                    states.Slice(start, count),
                    1,
                    logits.Slice(start * Config.VocabSize, count * Config.VocabSize));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => pool.Dispose();

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

    private void CheckState(MambaState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if ((state.Layers, state.Channels, state.WindowLength, state.States) != (Config.NLayer, Config.DInner, Config.DConv, Config.DState))
        {
            Throw.Argument($"expected a state of {backup}, found one of {state}", nameof(state));
        }
    }
}
