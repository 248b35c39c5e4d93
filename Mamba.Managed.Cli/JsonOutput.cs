using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mamba.Managed.Cli;

/// <summary>One JSON object on one line of standard output.</summary>
internal static class JsonOutput
{
    public static void Write(TextWriter output, Action<Utf8JsonWriter> fields)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }

        // The relaxed encoder leaves some letters that command a terminal; they stand in strings alone, where an escape means the same.
        output.WriteLine(Terminal.Escape(Encoding.UTF8.GetString(stream.ToArray())));
    }
}
