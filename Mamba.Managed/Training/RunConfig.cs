using System.Text.Json;
using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Writes the <c>config.json</c> that readers of Hugging Face checkpoints expect beside the weights of a run.</summary>
internal static class RunConfig
{
    /// <summary>What readers look for in the header of the weights.</summary>
    public static IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>Writes a configuration: to a temporary name, flushed and renamed.</summary>
    public static void Write(string path, MambaConfig config)
    {
        string temporary = path + ".tmp";
        using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write))
        {
            using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
            {
                Write(json, config);
            }

            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static void Write(Utf8JsonWriter json, MambaConfig config)
    {
        bool falcon = config.MixerNormEpsilon is not null;
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue(falcon ? "FalconMambaForCausalLM" : "MambaForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", falcon ? "falcon_mamba" : "mamba");
        json.WriteString("dtype", "float32");
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", config.DModel);
        json.WriteNumber("num_hidden_layers", config.NLayer);
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("state_size", config.DState);
        json.WriteNumber("conv_kernel", config.DConv);
        json.WriteNumber("expand", Math.Max(1, config.DInner / config.DModel));
        json.WriteNumber("intermediate_size", config.DInner);
        json.WriteNumber("time_step_rank", config.DtRank);
        json.WriteNumber("layer_norm_epsilon", config.NormEpsilon);
        json.WriteBoolean("use_bias", config.InProjBias);
        json.WriteBoolean("use_conv_bias", config.ConvBias);
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteBoolean("residual_in_fp32", true);
        if (config.MixerNormEpsilon is float epsilon)
        {
            json.WriteNumber("mixer_rms_eps", epsilon);
        }

        if (config.EndTokenId is int end)
        {
            json.WriteNumber("eos_token_id", end);
        }

        json.WriteEndObject();
    }
}
