using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Cuts documents into batches; batch number n depends on the seed alone, so a run can resume at any number.</summary>
/// <remarks>
/// In each epoch the documents are shuffled and concatenated to one line. Shuffled windows begin at an offset that changes with the epoch and are
/// drawn in random order. With <see cref="BatchOptions.CarryState"/> the line is divided into parallel tracks, one for each window of a batch;
/// a window begins with the state at the end of the previous window of its track.
/// </remarks>
internal sealed class BatchSampler
{
    private readonly TokenDocuments documents;
    private readonly long from;
    private readonly long to;
    private readonly MambaConfig config;
    private readonly CpuState[] tracks;
    private long epoch = -1;
    private DocumentLine line = null!;
    private long offset;
    private int[] order = [];

    /// <summary>Prepares to cut the tokens between two places.</summary>
    /// <param name="documents">All documents.</param>
    /// <param name="from">The first token.</param>
    /// <param name="to">End of the tokens.</param>
    /// <param name="config">The model's sizes, for carried states.</param>
    /// <param name="options">How to cut.</param>
    /// <exception cref="ArgumentException">There are fewer tokens than a batch needs.</exception>
    public BatchSampler(TokenDocuments documents, long from, long to, MambaConfig config, BatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(to, documents.TokenCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(to, from);
        (this.documents, this.from, this.to, this.config) = (documents, from, to, config);
        Options = options.Validate();
        long tokens = to - from, most = tokens / options.Length / options.Windows;
        if (most == 0)
        {
            Throw.Argument(
                Throw.Invariant($"expected at least {options.Windows} windows of {options.Length} tokens, found {tokens} tokens; give more data, or smaller windows"),
                nameof(documents));
        }

        BatchesPerEpoch = most;
        tracks = options.CarryState ? [.. Enumerable.Range(0, options.Windows).Select(_ => new CpuState(config))] : [];
    }

    /// <summary>How batches are cut.</summary>
    public BatchOptions Options { get; }

    /// <summary>The number of batches in an epoch.</summary>
    public long BatchesPerEpoch { get; }

    /// <summary>The initial states of the next batch, one for each window; empty if none are carried. Saved and restored with a run.</summary>
    public IReadOnlyList<CpuState> Tracks => tracks;

    /// <summary>Cuts a batch. With carried states, batches must be cut in order, and each run before the next is cut.</summary>
    /// <param name="number">0 for the first.</param>
    public TrainingBatch Batch(long number)
    {
        List<CpuState> states = [];
        TrainingBatch batch = Cut(number, (window, start, parts) =>
        {
            if (Options.CarryState)
            {
                Carry(window, number % BatchesPerEpoch == 0 || line.IsStart(start), parts, states);
            }
        });
        return Options.CarryState ? batch with { States = states } : batch;
    }

    /// <summary>The number of targets of a batch; carried states are not changed.</summary>
    /// <param name="number">0 for the first.</param>
    public int TargetCount(long number) => Cut(number, static (_, _, _) => { }).TargetCount;

    private TrainingBatch Cut(long number, Action<int, long, int> each)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        Enter(number / BatchesPerEpoch);
        (int windows, int length, long index) = (Options.Windows, Options.Length, number % BatchesPerEpoch);
        int[] tokens = new int[windows * length], targets = new int[windows * length];
        List<int> lengths = [];
        for (int i = 0; i < windows; i++)
        {
            long start = Options.CarryState
                ? ((i * BatchesPerEpoch) + index) * length
                : offset + ((long)order[(index * windows) + i] * length);
            int before = lengths.Count;
            line.Cut(start, tokens.AsSpan(i * length, length), targets.AsSpan(i * length, length), lengths);
            each(i, start, lengths.Count - before);
        }

        return new(tokens, targets, lengths.ToArray());
    }

    // The first document of a window continues from the track's state; later ones begin from zero, and the state of the last becomes the track's.
    private void Carry(int track, bool anew, int parts, List<CpuState> states)
    {
        if (anew)
        {
            tracks[track].Clear();
        }

        states.Add(tracks[track]);
        for (int part = 1; part < parts; part++)
        {
            tracks[track] = new CpuState(config);
            states.Add(tracks[track]);
        }
    }

    private void Enter(long wanted)
    {
        if (wanted == epoch)
        {
            return;
        }

        // What throws here, as documents that have been disposed do, throws again at the next call.
        SeededRandom random = SeededRandom.Of(Options.Seed, wanted);
        DocumentLine entered = new(documents, from, to, random);
        if (!Options.CarryState)
        {
            // The windows of a batch must all fit behind the offset.
            long whole = entered.Length / Options.Length;
            offset = random.Below(entered.Length - (whole * Options.Length) + 1);
            order = [.. Enumerable.Range(0, checked((int)whole))];
            random.Shuffle(order);
        }

        (epoch, line) = (wanted, entered);
    }
}
