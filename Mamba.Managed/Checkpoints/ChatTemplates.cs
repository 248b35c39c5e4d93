using System.Text;
using System.Text.Json;
using Mamba.Managed.Checkpoints.Gguf;

namespace Mamba.Managed.Checkpoints;

/// <summary>The templates that make a text of a conversation, as folders and GGUF files hold them. They are carried from one to the other and not looked into.</summary>
/// <remarks>
/// A folder has one in a file of its own, or one or several with names in <c>tokenizer_config.json</c>. A GGUF file has the one named
/// <c>default</c> under <c>tokenizer.chat_template</c>, each other under that key and its name, and a list of those names.
/// </remarks>
internal static class ChatTemplates
{
    /// <summary>The file of a template alone.</summary>
    public const string File = "chat_template.jinja";

    /// <summary>The same as JSON, in older folders.</summary>
    public const string OlderFile = "chat_template.json";

    /// <summary>The field of a template in JSON.</summary>
    public const string Field = "chat_template";

    /// <summary>The name of the template that is used unless another is asked for.</summary>
    public const string Default = "default";

    private const string Key = "tokenizer.chat_template";
    private const string NamesKey = "tokenizer.chat_templates";
    private const int LongestFile = 1 << 24;

    /// <summary>The templates of a folder by name; empty where it has none.</summary>
    /// <exception cref="InvalidDataException">A file is malformed.</exception>
    public static IReadOnlyDictionary<string, string> OfFolder(string folder)
    {
        string file = Path.Combine(folder, File);
        if (System.IO.File.Exists(file))
        {
            return new Dictionary<string, string> { [Default] = UntrustedFile.Read(file, stream => Encoding.UTF8.GetString(UntrustedFile.ReadText(stream, LongestFile).Span)) };
        }

        foreach (string name in (string[])[OlderFile, FolderTokens.TokenizerConfig])
        {
            string path = Path.Combine(folder, name);
            Dictionary<string, string> found = System.IO.File.Exists(path)
                ? UntrustedFile.ReadJson(path, LongestFile, json => Read(new JsonFields(json)))
                : [];
            if (found.Count > 0)
            {
                return found;
            }
        }

        return new Dictionary<string, string>();
    }

    /// <summary>The templates of a GGUF file by name; empty where it has none.</summary>
    /// <exception cref="InvalidDataException">A value has the wrong type.</exception>
    public static IReadOnlyDictionary<string, string> OfFile(GgufMetadata metadata)
    {
        Dictionary<string, string> templates = [];
        foreach (string name in metadata.GetStrings(NamesKey).Prepend(Default).Distinct())
        {
            if (metadata.GetString(KeyOf(name)) is { } template)
            {
                templates[name] = template;
            }
        }

        return templates;
    }

    /// <summary>Whether a key of a GGUF file is that of a template.</summary>
    public static bool IsKey(string key) => key.StartsWith(Key, StringComparison.Ordinal);

    /// <summary>The values of a GGUF file for templates.</summary>
    public static IEnumerable<KeyValuePair<string, GgufValue>> ToMetadata(IReadOnlyDictionary<string, string> templates)
    {
        string[] others = [.. templates.Keys.Where(name => name != Default)];
        if (others.Length > 0)
        {
            yield return KeyValuePair.Create(NamesKey, GgufValue.From(others));
        }

        foreach ((string name, string template) in templates)
        {
            yield return KeyValuePair.Create(KeyOf(name), GgufValue.From(template));
        }
    }

    /// <summary>Writes the field of <c>tokenizer_config.json</c>; nothing where there is no template.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyDictionary<string, string> templates)
    {
        if (templates.Count == 1 && templates.TryGetValue(Default, out string? only))
        {
            json.WriteString(Field, only);
        }
        else if (templates.Count > 0)
        {
            json.WriteStartArray(Field);
            foreach ((string name, string template) in templates)
            {
                json.WriteStartObject();
                json.WriteString("name", name);
                json.WriteString("template", template);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }

    private static Dictionary<string, string> Read(JsonFields fields)
    {
        Dictionary<string, string> templates = [];
        switch (fields.Find(Field))
        {
            case null:
                break;
            case { ValueKind: JsonValueKind.String } text:
                templates[Default] = text.GetString()!;
                break;
            case { ValueKind: JsonValueKind.Array } list:
                foreach (JsonElement entry in list.EnumerateArray())
                {
                    JsonFields named = new(entry);
                    templates[named.Text("name", Default)] = named.Text("template", "");
                }

                break;
            case { } other:
                throw JsonFields.Unexpected(Field, "a text, or a list of names and texts", other);
        }

        return templates;
    }

    private static string KeyOf(string name) => name == Default ? Key : $"{Key}.{name}";
}
