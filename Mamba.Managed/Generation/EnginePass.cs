using System.Diagnostics;
using System.Runtime.InteropServices;
using Mamba.Managed.Execution;

namespace Mamba.Managed.Generation;

/// <summary>One pass of an engine: one token of each sequence that generates, and chunks of prompts as far as time allows.</summary>
/// <remarks>A pass is either for those that generate or for those that collect hidden vectors, and computes logits or hidden vectors alone.</remarks>
internal sealed class EnginePass(IMambaExecutor executor, EngineOptions options)
{
    // Shorter chunks would read the weights for too few tokens.
    private const int LeastChunk = 8;
    private const int FirstChunk = 32;

    private readonly List<int> tokens = [];
    private readonly List<SequenceInput> inputs = [];
    private readonly List<EngineTask> tasks = [];
    private float[] rows = [];
    private bool isEmbedding;
    private double stepSeconds;
    private double rowSeconds;

    /// <summary>The sequences of the pass.</summary>
    public IReadOnlyList<EngineTask> Tasks => tasks;

    /// <summary>Chooses what the pass does.</summary>
    /// <param name="ready">Who may take part, the next ones first.</param>
    public void Arrange(List<EngineTask> ready)
    {
        tokens.Clear();
        inputs.Clear();
        tasks.Clear();
        isEmbedding = ready[0].Request.Embedding is not null;
        List<EngineTask> chosen = [.. ready.Where(task => task.Request.Embedding is not null == isEmbedding).Take(options.MaxBatch)];
        int room = PromptRows(chosen);
        foreach (EngineTask task in chosen)
        {
            ReadOnlySpan<int> waiting = task.Turn!.Session.Waiting;
            int length = waiting.Length == 1 ? 1 : Math.Min(Math.Min(waiting.Length, room), task.Turn.Room);
            if (length > 0)
            {
                room -= waiting.Length == 1 ? 0 : length;
                bool isLast = length == waiting.Length;
                task.Turn.Feed();
                tokens.AddRange(waiting[..length]);
                inputs.Add(new(task.Turn.Session.State, length, task.Request.Embedding?.Rows(isLast) ?? (isLast ? LogitRows.Last : LogitRows.None)));
                tasks.Add(task);
            }
        }
    }

    /// <summary>Feeds the tokens; returns the errors of sequences that could not be fed, by task.</summary>
    /// <exception cref="Exception">The device failed: the states of all sequences are lost.</exception>
    public Dictionary<EngineTask, Exception> Run()
    {
        int size = inputs.Sum(input => input.LogitCount) * Width;
        rows = rows.Length < size ? new float[size] : rows;
        long started = Stopwatch.GetTimestamp();
        Dictionary<EngineTask, Exception> errors = [];
        try
        {
            Run(CollectionsMarshal.AsSpan(tokens), CollectionsMarshal.AsSpan(inputs), rows.AsSpan(0, size));
        }
        catch (Exception error) when (error is ArgumentException or ObjectDisposedException)
        {
            // A session of another model or one that was disposed: nothing was fed, and the others are not to suffer for it.
            RunEach(errors);
        }

        Learn(Stopwatch.GetElapsedTime(started).TotalSeconds);
        return errors;
    }

    /// <summary>How many tokens of a sequence are fed.</summary>
    public int LengthOf(int index) => inputs[index].Length;

    /// <summary>The logits of a sequence's last token; empty where it has more of its prompt before it, or collects hidden vectors.</summary>
    public ReadOnlySpan<float> LogitsOf(int index) => isEmbedding ? [] : RowsOf(index);

    /// <summary>The hidden vectors of a sequence: [rows, d_model]; empty where it generates.</summary>
    public ReadOnlySpan<float> HiddenOf(int index) => isEmbedding ? RowsOf(index) : [];

    private int Width => isEmbedding ? executor.Config.DModel : executor.Config.VocabSize;

    private ReadOnlySpan<float> RowsOf(int index)
    {
        int row = 0;
        for (int i = 0; i < index; i++)
        {
            row += inputs[i].LogitCount;
        }

        return rows.AsSpan(row * Width, inputs[index].LogitCount * Width);
    }

    private void Run(ReadOnlySpan<int> fed, ReadOnlySpan<SequenceInput> batch, Span<float> result)
    {
        if (isEmbedding)
        {
            executor.Run(fed, batch, [], result);
        }
        else
        {
            executor.Run(fed, batch, result);
        }
    }

    private void RunEach(Dictionary<EngineTask, Exception> errors)
    {
        for (int i = 0, start = 0, row = 0; i < inputs.Count; i++)
        {
            SequenceInput input = inputs[i];
            try
            {
                Run(CollectionsMarshal.AsSpan(tokens).Slice(start, input.Length), [input], rows.AsSpan(row * Width, input.LogitCount * Width));
            }
            catch (Exception error) when (error is ArgumentException or ObjectDisposedException)
            {
                errors.Add(tasks[i], error);
            }

            start += input.Length;
            row += input.LogitCount;
        }
    }

    // As many tokens of prompts as fit into the time, beside one token of each of the others.
    private int PromptRows(List<EngineTask> chosen)
    {
        int steps = chosen.Count(task => task.Turn!.Session.Waiting.Length == 1);
        int most = Math.Min(executor.PromptChunk, executor.MaxRows - steps);
        if (steps == chosen.Count || most <= 0)
        {
            return Math.Max(most, 0);
        }

        double left = options.MaxDelay.TotalSeconds - (steps > 0 ? stepSeconds : 0);
        double fits = rowSeconds > 0 ? left / rowSeconds : FirstChunk;
        return (int)Math.Clamp(fits, Math.Min(LeastChunk, most), most);
    }

    // A pass without prompts says what steps take; one with prompts, what a token of a prompt takes beyond that.
    private void Learn(double seconds)
    {
        int steps = inputs.Count(input => input.Length == 1);
        int prompts = tokens.Count - steps;
        if (prompts > 0)
        {
            rowSeconds = Blend(rowSeconds, Math.Max(seconds - (steps > 0 ? stepSeconds : 0), seconds / 4) / prompts);
        }
        else if (!isEmbedding)
        {
            stepSeconds = Blend(stepSeconds, seconds);
        }
    }

    private static double Blend(double before, double now) => before == 0 ? now : (0.8 * before) + (0.2 * now);
}
