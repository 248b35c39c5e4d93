using System.Text;
using ScottPlot;

namespace Mamba.Managed.Cli;

/// <summary>Plots as files.</summary>
internal static class Picture
{
    private const int Width = 900;
    private const int Height = 540;

    /// <summary>Writes a plot as SVG and PNG, each as a whole.</summary>
    /// <param name="plot">The plot.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="name">Of the files, without an ending.</param>
    public static void Save(Plot plot, string folder, string name)
    {
        Write(".svg", Encoding.UTF8.GetBytes(plot.GetSvgXml(Width, Height)));
        Write(".png", plot.GetImageBytes(Width, Height, ImageFormat.Png));

        void Write(string ending, byte[] bytes) => AtomicFile.Write(Path.Combine(folder, name + ending), stream => stream.Write(bytes));
    }
}
