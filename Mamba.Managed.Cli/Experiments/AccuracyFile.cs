using System.Text.Json;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary><c>accuracy.json</c>: the task, and the accuracy of the trained model at each length.</summary>
internal static class AccuracyFile
{
    private const string Name = "accuracy.json";

    /// <summary>Writes the file atomically.</summary>
    public static void Write(ExperimentSettings settings, IReadOnlyList<TaskAccuracy> found) => AtomicFile.Write(Path.Combine(settings.Output, Name), stream =>
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("task", settings.Task.Name);
        json.WriteNumber("trained_length", settings.Trainer.Batch.Length);
        json.WriteNumber("steps", settings.Trainer.Steps);
        json.WriteStartArray("accuracy");
        foreach (TaskAccuracy accuracy in found)
        {
            json.WriteStartObject();
            json.WriteNumber("length", accuracy.Length);
            json.WriteNumber("sequences", accuracy.Sequences);
            json.WriteNumber("asked", accuracy.Asked);
            json.WriteNumber("right", accuracy.Right);
            json.WriteNumber("share", accuracy.Share);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });
}
