using System.Text;
using System.Text.Json;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>metrics.jsonl</c>: one JSON object for each step, exactly once, even if the run is killed and resumed.</summary>
/// <remarks>A step is written before its checkpoint; when a run is resumed, steps after its checkpoint are removed from the file.</remarks>
internal sealed class MetricsLog : IDisposable
{
    /// <summary>The file's name in the run's folder.</summary>
    public const string Name = "metrics.jsonl";

    private readonly List<Point> points = [];
    private readonly FileStream stream;

    /// <summary>Opens the log of a run.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="step">Steps made so far; later ones in the file are dropped.</param>
    public MetricsLog(string folder, long step)
    {
        stream = new FileStream(Path.Combine(folder, Name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            stream.SetLength(Keep(step));
            stream.Seek(0, SeekOrigin.End);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Loss and validation of each step so far.</summary>
    public IReadOnlyList<Point> Points => points;

    /// <summary>Adds a step.</summary>
    public void Add(TrainingReport report, double? accuracy, double tokensPerSecond, double fmaShare)
    {
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            json.WriteNumber("step", report.Step);
            json.WriteNumber("loss", report.Loss);
            if (report.Validation is double validation)
            {
                json.WriteNumber("validation", validation);
            }

            if (accuracy is double share)
            {
                json.WriteNumber("accuracy", share);
            }

            json.WriteNumber("gradient_norm", report.GradientNorm);
            json.WriteNumber("learning_rate", report.LearningRate);
            json.WriteNumber("tokens", report.Tokens);
            json.WriteNumber("seconds", report.Elapsed.TotalSeconds);
            json.WriteNumber("tokens_per_second", tokensPerSecond);
            json.WriteNumber("fma_share", fmaShare);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        stream.Flush(flushToDisk: report.Saved);
        points.Add(new(report.Step, report.Loss, report.Validation));
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    // The length of the lines up to a step; an incomplete line, from a run that was killed, and all after it are dropped.
    private long Keep(long last)
    {
        using StreamReader reader = new(stream, new UTF8Encoding(false), detectEncodingFromByteOrderMarks: false, bufferSize: -1, leaveOpen: true);
        long length = 0;
        while (reader.ReadLine() is { } line)
        {
            long end = length + Encoding.UTF8.GetByteCount(line) + 1;
            if (end > stream.Length || Read(line) is not { } point || point.Step > last)
            {
                break;
            }

            points.Add(point);
            length = end;
        }

        return length;
    }

    private static Point? Read(string line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            JsonElement root = json.RootElement;
            return new Point(
                root.GetProperty("step").GetInt64(),
                root.GetProperty("loss").GetDouble(),
                root.TryGetProperty("validation", out JsonElement validation) ? validation.GetDouble() : null);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The values of a step that the curve shows.</summary>
    public readonly record struct Point(long Step, double Loss, double? Validation);
}
