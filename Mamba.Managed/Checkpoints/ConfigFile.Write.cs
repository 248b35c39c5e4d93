using System.Text.Json;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <content>Writes <c>config.json</c> in the layout of Hugging Face.</content>
internal static partial class ConfigFile
{
    /// <summary>Writes the layout of Hugging Face, to a temporary file that is then renamed.</summary>
    /// <param name="path">The file to create or to replace.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="type">The type of the weights beside it, for <c>torch_dtype</c>.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    internal static void Write(string path, MambaConfig config, ElementType type)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        AtomicFile.Write(path, stream =>
        {
            using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
            json.WriteStartObject();
            WriteArchitecture(json, config, type);
            WriteSizes(json, config);
            WriteOptions(json, config);
            json.WriteEndObject();
        });
    }

    private static void WriteArchitecture(Utf8JsonWriter json, MambaConfig config, ElementType type)
    {
        bool isFalcon = config.MixerNormEpsilon is not null;
        json.WriteStartArray("architectures");
        json.WriteStringValue(isFalcon ? "FalconMambaForCausalLM" : "MambaForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", isFalcon ? "falcon_mamba" : "mamba");
        json.WriteString("torch_dtype", type switch
        {
            ElementType.Float16 => "float16",
            ElementType.BFloat16 => "bfloat16",
            _ => "float32",
        });
    }

    private static void WriteSizes(Utf8JsonWriter json, MambaConfig config)
    {
        json.WriteNumber("hidden_size", config.DModel);
        json.WriteNumber("num_hidden_layers", config.NLayer);
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("state_size", config.DState);
        json.WriteNumber("conv_kernel", config.DConv);
        json.WriteNumber("expand", ExpandOf(config));
        json.WriteNumber("intermediate_size", config.DInner);
        json.WriteNumber("time_step_rank", config.DtRank);
    }

    private static void WriteOptions(Utf8JsonWriter json, MambaConfig config)
    {
        json.WriteString("hidden_act", "silu");
        json.WriteBoolean("use_bias", config.InProjBias);
        if (config.OutProjBias != config.InProjBias)
        {
            json.WriteBoolean(OutProjBiasField, config.OutProjBias);
        }

        json.WriteBoolean("use_conv_bias", config.ConvBias);
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteNumber("layer_norm_epsilon", config.NormEpsilon);
        if (config.MixerNormEpsilon is { } mixerEpsilon)
        {
            json.WriteNumber("mixer_rms_eps", mixerEpsilon);
        }

        json.WriteNumber("time_step_min", config.DtMin);
        json.WriteNumber("time_step_max", config.DtMax);
        json.WriteNumber("time_step_floor", config.DtInitFloor);
        json.WriteNumber("time_step_scale", config.DtScale);
        json.WriteNumber("initializer_range", config.InitializerRange);
        json.WriteBoolean("rescale_prenorm_residual", config.RescalePrenormResidual);
        json.WriteBoolean("residual_in_fp32", true);
        WriteIds(json, config);
    }

    private static void WriteIds(Utf8JsonWriter json, MambaConfig config)
    {
        WriteId("bos_token_id", config.BeginTokenId);
        WriteId("pad_token_id", config.PadTokenId);
        if (config.EndTokenIds.Count < 2)
        {
            WriteId("eos_token_id", config.EndTokenId);
            return;
        }

        json.WriteStartArray("eos_token_id");
        foreach (int id in config.EndTokenIds)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();

        void WriteId(string name, int? id)
        {
            if (id is { } value)
            {
                json.WriteNumber(name, value);
            }
        }
    }

    // The decimal of the fewest digits from which a reader computes d_inner again: 1.5 for 15 of 10.
    private static double ExpandOf(MambaConfig config)
    {
        const int MostDigits = 15;
        double ratio = config.DInner / (double)config.DModel;
        double nearest = Enumerable.Range(0, MostDigits + 1).Select(digits => Math.Round(ratio, digits)).FirstOrDefault(rounded => Inner(rounded) == config.DInner, ratio);
        return Inner(nearest) == config.DInner ? nearest : Math.BitIncrement(ratio);

        int Inner(double expand) => (int)(expand * config.DModel);
    }
}
